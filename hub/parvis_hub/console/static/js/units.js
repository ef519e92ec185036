// The units: how each one is, why, and what to do about it.

import { $, arrange, fill, h, setText } from "./dom.js";
import { ago, metres, moment, number, quantity } from "./format.js";
import { t } from "./i18n.js";
import { HEALTHS, icon, unitSign } from "./icons.js";
import { health, now, reports, state } from "./state.js";
import { healthName, healthWhy, reasons } from "./words.js";

const entries = new Map();
let show = () => {};

/** @param {(name: string) => void} onShow Called to show a unit on the map. */
export function startUnits(onShow) {
  show = onShow;
}

export function renderUnits() {
  if (!state.site) return;
  const units = [...state.units.values()];
  const words = t("unit.count", { alive: units.filter(reports).length, total: units.length });
  const past = state.past !== null;
  setText($("#units-count"), state.loaded && !past ? words : "");
  renderCount(units);
  $("#units-past").hidden = !past;
  $("#unit-list").hidden = past;
  if (past) return;
  // Those that need somebody come first.
  const trouble = (unit) => (health(unit) === "alive" && unit.wrong_clock === null ? 1 : 0);
  units.sort((a, b) => trouble(a) - trouble(b) || a.name.localeCompare(b.name));
  arrange($("#unit-list"), units.map(renderUnit));
  const { title, name } = state.site.profile;
  setText($("#profile"), t("app.profile", { title: title[document.documentElement.lang] ?? name }));
}

/** How many units are in each state, for the bar. */
function renderCount(units) {
  const counts = new Map();
  for (const unit of units) counts.set(health(unit), (counts.get(health(unit)) ?? 0) + 1);
  const element = $("#unit-count");
  const key = JSON.stringify([[...counts], document.documentElement.lang]);
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  fill(element, h("span", { class: "quiet", text: t("unit.title") }), HEALTHS.filter((how) => counts.has(how)).map((how) =>
    h("span", { class: "count", title: t(`health.${how}`) }, unitSign(how, 14), h("span", { text: number(counts.get(how)) }), h("span", { class: "count-words", text: t(`health.${how}`).toLowerCase() }))));
}

function renderUnit(unit) {
  const entry = entries.get(unit.name) ?? h("li", { class: "unit", "data-unit": unit.name });
  entries.set(unit.name, entry);
  const how = health(unit);
  const heard = unit.last_seen === null ? t("unit.never") : ago(new Date(unit.last_seen), now());
  // Drawn again only if something in it is other than before: an entry that has the focus keeps it, and time passes for all of them.
  const { last_seen: _, ...shown } = unit;
  const key = JSON.stringify([shown, how, document.documentElement.lang]);
  if (entry.key === key) {
    setText($(".unit-heard", entry), heard);
    return entry;
  }
  entry.key = key;
  entry.dataset.health = how;
  const why = reasons(unit);
  fill(entry,
    h("div", { class: "unit-head" },
      unitSign(how, 18),
      h("h3", { class: "unit-name", text: unit.name }),
      h("span", { class: "unit-state", text: healthName(unit) }),
      h("span", { class: "unit-senses" }, unit.senses.map((sense) => h("span", { class: "sense", title: t(`unit.${sense}`) }, icon(sense, 15), h("span", { class: "visually-hidden", text: t(`unit.${sense}`) })))),
      h("span", { class: "unit-heard quiet", text: heard }),
      h("button", { type: "button", class: "tool square tiny on-map", "aria-label": `${t("card.show_map")}: ${unit.name}`, title: t("card.show_map"), on: { click: () => show(unit.name) } }, icon("place", 16))),
    how !== "alive" && why.length === 0 && h("p", { class: "unit-why", text: healthWhy(unit) }),
    why.length > 0 && h("ul", { class: "reasons" }, why.map(({ who, code, why: words, todo }) =>
      h("li", { "data-reason": code }, h("span", { class: "reason", text: `${[who, words].filter(Boolean).join(". ")}.` }), " ", h("span", { class: "advice", text: todo })))),
    unit.wrong_clock !== null && h("p", { class: "unit-why unit-clock" }, icon("warning", 15), h("span", {},
      h("span", { class: "reason", text: clockWords(unit.wrong_clock) }), " ", h("span", { class: "advice", text: t("unit.clock.advice") }))),
    unit.missing > 0 && h("p", { class: "unit-why", text: t("unit.missing", { count: number(unit.missing) }) }),
    unit.allowlist !== null && h("p", { class: "unit-allowlist quiet", text: allowlist(unit.allowlist) }),
    h("p", { class: "unit-plan quiet", text: details(unit) }));
  return entry;
}

/** A clock that sounds have shown to be wrong, whatever the unit says of it. */
function clockWords({ off_s, found }) {
  return t(off_s > 0 ? "unit.clock.ahead" : "unit.clock.behind", { off: Math.abs(off_s) < 1 ? quantity("off_ms", Math.abs(off_s) * 1000) : quantity("off_s", Math.abs(off_s)), time: moment(new Date(found), now()) });
}

/** Whether the unit has the list of tags that may be read. */
function allowlist({ tags, until, acknowledged, refused }) {
  const values = { count: number(tags), until: moment(new Date(until), now()) };
  if (new Date(until) <= now()) return t("allowlist.expired", values);
  if (refused !== null) return `${t("allowlist.refused", values)} ${t(`command_refusal.${refused}`)}.`;
  return t(acknowledged ? "allowlist.acknowledged" : "allowlist.sent", values);
}

function details(unit) {
  const parts = [metres(unit.range_m)];
  if (unit.senses.includes("camera")) parts.push(t(unit.calibrated ? "unit.calibrated" : "unit.not_calibrated"));
  if (unit.software) parts.push(t("unit.software", { version: unit.software }));
  return parts.join(" · ");
}
