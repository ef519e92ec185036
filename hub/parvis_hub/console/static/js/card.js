// One incident in full: what was reported, the measure against its threshold, how certain, where, when, by whom, and the decision.

import * as api from "./api.js";
import { operator } from "./decide.js";
import { may } from "./session.js";
import { $, fill, h } from "./dom.js";
import { ago, clock, day, moment, number, percent, span, timeZone } from "./format.js";
import { t, tn } from "./i18n.js";
import { icon, unitSign } from "./icons.js";
import { verdictMark } from "./list.js";
import { changed, health, now, state } from "./state.js";
import { confidenceWords, coordinates, criterionWords, healthName, says, typeName, value, whereInFull } from "./words.js";

let actions = {};
let drawn = "";

/** @param {object} on `close`, `showMap`, `choose(id)`, `decide(id, verdict)`. */
export function startCard(on) {
  actions = on;
}

/** Reads the whole of the selected incident; a later selection wins. */
export async function readDetail() {
  const id = state.selected;
  // Of a past moment there is what the replay says, and no more.
  if (id === null || state.past !== null) return;
  try {
    const detail = await api.incident(id);
    if (state.selected !== id || state.past !== null) return;
    const known = state.incidents.get(detail.incident.incident);
    // Two answers may overtake one another.
    if (known && known.revision > detail.revision) return;
    state.detail = detail;
    state.live.set(detail.incident.incident, detail);
    if (detail.incident.incident !== id) {
      // It has become part of another incident.
      state.live.delete(id);
      state.selected = detail.incident.incident;
    }
  } catch (error) {
    if (error.status === 404) state.live.delete(id);
  }
  changed();
}

export function renderCard() {
  const card = $("#card");
  const view = state.incidents.get(state.selected);
  document.body.toggleAttribute("data-card", state.selected !== null);
  card.hidden = state.selected === null && document.body.dataset.map !== "none";
  if (card.hidden || !state.site) return;
  if (state.selected === null) return draw(card, "empty", () => [h("p", { class: "card-empty quiet", id: "card-title", text: t("card.empty") })]);
  const absent = state.past === null ? "card.gone" : "replay.not_then";
  if (!view) return draw(card, absent, () => [head(null), h("p", { class: "card-empty", text: t(absent) })]);
  const detail = state.detail?.incident.incident === state.selected ? state.detail : null;
  const units = view.incident.units.map((name) => [name, state.units.has(name) ? health(state.units.get(name)) : null]);
  draw(card, JSON.stringify([view.revision, view.incident, detail, units, state.past !== null]), () => contents(view, detail));
  const shown = $(".card-ago", card);
  if (shown) shown.textContent = ago(new Date(view.incident.first_observed), now());
}

/** Draws only what is other than before, and leaves the focus where it was. */
function draw(card, key, make) {
  key = `${document.documentElement.lang} ${key}`;
  if (drawn === key) return;
  drawn = key;
  const focused = card.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const top = card.scrollTop;
  fill(card, make());
  card.scrollTop = top;
  if (focused) (card.querySelector(`[data-key="${focused}"]`) ?? card).focus({ preventScroll: true });
}

function head(incident) {
  return h("div", { class: "card-head" },
    incident && h("span", { class: "card-sign" }, icon(incident.type, 26)),
    h("h2", { id: "card-title", text: incident ? typeName(incident.type) : t("nav.list") }),
    h("button", { type: "button", class: "tool square", "data-key": "close", "aria-label": t("card.close"), title: t("card.close"), on: { click: () => actions.close() } }, icon("close", 18)));
}

function section(title, ...children) {
  return h("section", { class: "card-section" }, h("h3", { text: title }), children);
}

function contents(view, detail) {
  const { incident } = view;
  const verdict = h("span", { class: "verdict" });
  verdictMark(verdict, incident.operator.verdict);
  return [
    head(incident),
    h("div", { class: "card-body" },
      h("p", { class: "card-marks" },
        h("span", { class: "row-state", "data-state": incident.state, title: t(`state.${incident.state}.why`), text: t(`state.${incident.state}`) }), verdict,
        h("span", { class: "quiet card-ago" })),
      h("p", { class: "card-says", text: says(incident) }),
      measures(incident, detail),
      plates(detail),
      section(t("card.where"),
        whereInFull(incident).map((line, index) => h("p", { class: index === 0 ? "strong" : null, text: line })),
        detail?.course.length > 1 && h("p", { text: t("where.course", { count: detail.course.length }) }),
        h("p", { class: "quiet figures" }, coordinates(incident.position), " ",
          h("button", { type: "button", class: "link on-map", "data-key": "map", text: t("card.show_map"), on: { click: () => actions.showMap(incident.incident) } }))),
      when(incident),
      certainty(incident, detail),
      reportedBy(incident, detail),
      h("section", { class: "card-section" }, h("h3", { text: t("card.definition") }), h("p", { class: "quiet", text: t(`definition.${incident.type}`) }),
        h("p", { class: "quiet figures small" }, `${t("card.id")} `, h("code", { text: incident.incident })))),
    state.past === null && decision(incident, detail),
  ];
}

function measures(incident, detail) {
  const criteria = detail?.criteria ?? [];
  const used = new Set(criteria.map((criterion) => criterion.quantity));
  if (used.has("laeq_db")) used.add("limit_db");
  if (used.has("observed")) used.add("expected");
  const rest = Object.keys(incident.measure).filter((name) => !used.has(name) && incident.measure[name] !== null);
  return section(t("card.measured"),
    criteria.length === 0 && h("p", { class: "quiet", text: t(state.past !== null ? "replay.no_detail" : detail ? "card.no_threshold" : "app.loading") }),
    criteria.map((criterion) => gauge(criterion, incident)),
    rest.length > 0 && h("dl", { class: "figures-list" }, rest.map((name) => [h("dt", { text: t(`measure.${name}`) }), h("dd", { text: ["zone", "lane", "asset"].includes(name) ? value(name, incident.measure) : capital(value(name, incident.measure)) })])));
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A bar to the value and a tick at the threshold; the same in words beside it. */
function gauge(criterion, incident) {
  const words = criterionWords(criterion, incident);
  const { observed, limit, quantity } = criterion;
  // Decibels have no zero worth drawing from: the bar starts a round 30 dB under the lower of the two.
  const low = quantity.endsWith("_db") ? Math.floor((Math.min(observed, limit) - 30) / 10) * 10 : 0;
  const high = quantity === "confidence" || quantity === "score" ? 1 : low + (Math.max(observed, limit) - low) * 1.25 || 1;
  const at = (number_) => `${Math.max(0, Math.min(100, ((number_ - low) / (high - low)) * 100))}%`;
  return h("div", { class: "gauge", "data-over": String(observed >= limit) },
    h("p", { class: "gauge-head" }, h("span", { text: words.name }), h("span", { class: "gauge-value", text: words.observed })),
    h("div", { class: "gauge-bar", "aria-hidden": "true" },
      h("span", { class: "gauge-fill", style: { width: at(observed) } }), h("span", { class: "gauge-tick", style: { left: at(limit) } })),
    h("p", { class: "gauge-foot" }, h("span", { text: `${words.against} ${words.limit}` }), words.margin && h("span", { class: "margin", text: words.margin })),
    h("p", { class: "quiet small", text: [words.place, words.step, words.source].filter(Boolean).join(" · ") }));
}

function plates(detail) {
  if (!detail?.plates.length) return null;
  if (!may("see-plates")) return h("p", { class: "quiet small", text: t("session.no_plates") });
  const latest = detail.plates.at(-1);
  const picture = `api/incidents/${detail.incident.incident}/plates/${latest.id}${state.session.name === null && operator() ? `?by=${encodeURIComponent(operator())}` : ""}`;
  return h("figure", { class: "plate" },
    h("a", { href: picture, target: "_blank", rel: "noopener", "data-key": "plate", title: t("card.plate.open") }, h("img", { src: picture, alt: t("card.plate.alt") })),
    h("figcaption", { class: "quiet small", text: `${t("card.plate")} ${t("card.plate.made", { time: moment(new Date(latest.time), now()) })}` }));
}

function when(incident) {
  const first = new Date(incident.first_observed);
  // Of an instant, the last is when the farthest unit heard it: that is no duration.
  const last = incident.type === "sound.impulse" ? first : new Date(incident.last_observed);
  const row = (name, time) => [h("dt", { text: name }), h("dd", {}, h("time", { datetime: time.toISOString(), text: `${day(time)} ${clock(time)}` }))];
  return section(t("card.when"),
    h("dl", { class: "figures-list" }, row(t("when.first"), first), last > first && row(t("when.last"), last),
      last > first && [h("dt", { text: t("when.lasted") }), h("dd", { text: span((last - first) / 1000) })]),
    h("p", { class: "quiet small", text: t("when.zone", { zone: timeZone() }) }));
}

function certainty(incident, detail) {
  const words = confidenceWords(incident.confidence);
  return section(t("card.certainty"),
    h("p", { class: "strong", text: words.title }), h("p", { text: words.meaning }),
    state.past !== null ? null : detail === null ? h("p", { class: "quiet", text: t("app.loading") }) : detail.models.length === 0 ? h("p", { class: "quiet", text: t("certainty.no_model") })
      : detail.models.map((model) => modelWords(model)),
    detail?.outcomes.map(outcome));
}

function modelWords({ name, version, rule, figures }) {
  const lines = [h("p", { class: "model", text: t(rule ? "certainty.rule" : "certainty.model", { name, version }) })];
  if (rule) return lines;
  if (!figures) return [...lines, h("p", { class: "quiet small", text: t("certainty.no_card") })];
  if (figures.precision !== null && figures.recall !== null) {
    lines.push(h("p", { text: t("certainty.precision", { precision: percent(figures.precision), recall: percent(figures.recall), label: figures.label }) }));
  }
  if (figures.false_alarms_per_hour !== null) lines.push(h("p", { text: t("certainty.false_alarms", { rate: number(figures.false_alarms_per_hour, 2) }) }));
  lines.push(h("p", { class: "quiet small", lang: "en", text: t("certainty.measured_on", { data: figures.data }) }));
  return lines;
}

function reportedBy(incident, detail) {
  const messages = new Map(detail?.messages.map(({ unit, count }) => [unit, count]));
  return section(t("card.units"),
    h("ul", { class: "reporters" }, incident.units.map((name) => {
      const unit = state.units.get(name);
      const known = state.past === null && unit;
      return h("li", {}, known && unitSign(health(unit), 14), h("span", { class: "strong", text: name }), known && h("span", { class: "quiet", text: healthName(unit) }),
        messages.has(name) && h("span", { class: "quiet", text: tn("card.messages", messages.get(name)) }));
    })),
    detail?.timeline.length > 0 && h("ol", { class: "timeline", "aria-label": t("timeline.title") }, [...detail.timeline, ...detail.moves.map((move) => ({ ...move, time: move.at }))]
      .sort((a, b) => Date.parse(a.time) - Date.parse(b.time)).map((entry) => (entry.what ? moved(entry) : said(entry)))));
}

/** Under so many decisions, a share says nothing. */
const ENOUGH = 10;

/** How often this type, told by this unit, was a false alarm; about the past, not about this one. */
function outcome({ unit, decided, false_alarms: wrong }) {
  const values = { unit, decided: number(decided), wrong: number(wrong), share: percent(wrong / decided) };
  return h("p", { class: "quiet small outcome", text: t(decided >= ENOUGH ? "outcome.share" : "outcome.few", values) });
}

function said({ time, until, unit, phase, count }) {
  const first = new Date(time);
  return h("li", {}, h("time", { datetime: time, text: moment(first, now()) }), " ",
    h("span", { class: "strong", text: unit }), " ",
    h("span", { text: count > 1 ? t("timeline.updates", { count: number(count), time: moment(new Date(until), now()) }) : t(`timeline.${phase}`) }));
}

/** What became part of this incident, came to it or went from it, when the hub found that. */
function moved({ time, what, other, reports }) {
  const words = tn(`timeline.${what}`, reports);
  const name = `…${other.slice(-8)}`;
  return h("li", { "data-moved": what }, h("time", { datetime: time, text: moment(new Date(time), now()) }), " ", h("span", { text: words }), " ",
    state.live.has(other) ? h("button", { type: "button", class: "link", text: name, "aria-label": t("timeline.show", { name }), on: { click: () => actions.choose(other) } }) : h("code", { text: name }));
}

function decision(incident, detail) {
  const decided = incident.operator.verdict !== "unconfirmed";
  const act = (verdict, key, words, kind) => h("button", { type: "button", class: `button ${kind}`, "data-key": verdict, "aria-keyshortcuts": key,
    on: { click: () => actions.decide(incident.incident, verdict) } }, icon(verdict === "unconfirmed" ? "unconfirmed" : verdict, 18), h("span", { text: words }), h("kbd", { "aria-hidden": "true", text: key }));
  const history = detail?.decisions ?? [];
  return h("section", { class: "decision", "aria-labelledby": "decision-title" },
    h("h3", { id: "decision-title", text: t("decide.title") }),
    history.length === 0 && !decided && h("p", { class: "quiet small", text: t("decide.no_history") }),
    history.length > 0 && h("ol", { class: "history", "aria-label": t("decide.history") }, history.map((entry) => {
      const time = moment(new Date(entry.at), now());
      const words = entry.verdict === "unconfirmed" ? t("decide.withdrawn", { by: entry.by, time }) : t("verdict.by", { verdict: t(`verdict.${entry.verdict}`), by: entry.by, time });
      return h("li", { "data-verdict": entry.verdict }, icon(entry.verdict, 15), h("span", {}, h("span", { text: words }), h("span", { class: "quiet history-reason", text: t(`verdict_reason.${entry.reason}`) })));
    })),
    !may("decide") && h("p", { class: "quiet small", text: t("session.no_decision") }),
    may("decide") && h("div", { class: "decision-buttons" },
      act("confirmed", "C", t("decide.confirm"), incident.operator.verdict === "confirmed" ? "" : "primary"),
      act("dismissed", "D", t("decide.dismiss"), ""),
      decided && act("unconfirmed", "W", t("decide.withdraw"), "plain")));
}
