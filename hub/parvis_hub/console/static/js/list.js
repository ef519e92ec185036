// The list of incidents: the full interface for whoever has no map, and the way for the keyboard and the screen reader.

import { $, $$, arrange, fill, h, setText } from "./dom.js";
import { ago, moment, longDay } from "./format.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { renderNarrow } from "./narrow.js";
import { allowed, whySilent } from "./silence.js";
import { changed, listed, narrowing, now, reports, state } from "./state.js";
import { brief, place, typeName } from "./words.js";

export const FILTERS = ["undecided", "decided", "all"];
const rows = new Map();
let choose = () => {};

/** @param {(id: string, options?: object) => void} onChoose Called when an incident is opened. */
export function startList(onChoose) {
  choose = onChoose;
  const list = $("#incidents");
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = $$("button", list);
    const at = buttons.indexOf(document.activeElement);
    const target = step ? at + step : event.key === "Home" ? 0 : event.key === "End" ? buttons.length - 1 : null;
    if (target === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    buttons[Math.max(0, Math.min(target, buttons.length - 1))]?.focus();
  });
  list.addEventListener("focusin", (event) => rove(event.target.closest("button")));
}

/** One row alone is in the order of Tab; the arrows move among the rows. */
function rove(button) {
  if (!button) return;
  for (const each of $$("#incidents button")) each.tabIndex = each === button ? 0 : -1;
}

/** Moves the selection, or starts it at the top. */
export function step(by) {
  const order = listed();
  if (order.length === 0) return;
  const at = order.findIndex((view) => view.incident.incident === state.selected);
  const target = at < 0 ? 0 : Math.max(0, Math.min(at + by, order.length - 1));
  choose(order[target].incident.incident);
  focusRow(order[target].incident.incident);
}

export function focusRow(id) {
  const row = rows.get(id);
  if (!row?.isConnected) return false;
  row.button.focus();
  row.button.scrollIntoView({ block: "nearest" });
  return true;
}

export function setFilter(name) {
  state.filter = name;
  changed();
}

export function renderList() {
  if (!state.site) return;
  const shown = listed();
  for (const id of rows.keys()) if (!state.incidents.has(id)) rows.delete(id);
  arrange($("#incidents"), shown.map((view) => renderRow(view)));
  const buttons = $$("#incidents button");
  if (buttons.length > 0 && !buttons.some((button) => button.tabIndex === 0)) buttons[0].tabIndex = 0;
  renderFilter();
  renderNarrow();
  renderSilence(shown);
  const note = $("#truncated");
  note.hidden = !state.truncated || state.past !== null;
  setText(note, state.truncated ? t("list.truncated", { count: state.incidents.size }) : "");
}

function renderFilter() {
  const group = $("#filter");
  if (group.children.length === 0) {
    fill(group, FILTERS.map((name) => h("button", { type: "button", "data-filter": name, on: { click: () => setFilter(name) } },
      h("span", { class: "words" }), " ", h("span", { class: "number" }))));
  }
  for (const button of group.children) {
    const name = button.dataset.filter;
    button.setAttribute("aria-pressed", String(state.filter === name));
    setText($(".words", button), t(`list.${name}`));
    setText($(".number", button), state.loaded ? String(listed(name).length) : "");
  }
}

function makeRow(id) {
  const part = (name, tag = "span") => h(tag, { class: name });
  const parts = { sign: part("row-sign"), type: part("row-type"), brief: part("row-brief"), place: part("row-place"), time: part("row-time", "time"),
    ago: part("row-ago"), state: part("row-state"), verdict: part("verdict") };
  const button = h("button", { type: "button", class: "row", tabindex: "-1", "data-incident": id, on: { click: () => choose(id, { open: true }) } },
    parts.sign,
    h("span", { class: "row-main" },
      h("span", { class: "row-line" }, parts.type, parts.time),
      h("span", { class: "row-line" }, parts.brief, parts.ago),
      h("span", { class: "row-line row-foot" }, parts.place, h("span", { class: "row-marks" }, parts.state, parts.verdict))));
  const row = h("li", {}, button);
  Object.assign(row, { button, parts });
  rows.set(id, row);
  return row;
}

export function verdictMark(element, verdict) {
  if (element.dataset.verdict === verdict && element.dataset.lang === document.documentElement.lang) return;
  element.dataset.verdict = verdict;
  element.dataset.lang = document.documentElement.lang;
  fill(element, icon(verdict, 14), t(`verdict.${verdict}`));
}

function renderRow(view) {
  const { incident } = view;
  const row = rows.get(incident.incident) ?? makeRow(incident.incident);
  const { parts, button } = row;
  if (parts.sign.childElementCount === 0) parts.sign.append(icon(incident.type, 22));
  const first = new Date(incident.first_observed);
  setText(parts.type, typeName(incident.type));
  setText(parts.brief, brief(incident));
  setText(parts.place, place(incident));
  setText(parts.time, moment(first, now()));
  parts.time.dateTime = incident.first_observed;
  setText(parts.ago, ago(first, now()));
  setText(parts.state, t(`state.${incident.state}`));
  parts.state.dataset.state = incident.state;
  verdictMark(parts.verdict, incident.operator.verdict);
  const selected = state.selected === incident.incident;
  button.toggleAttribute("data-selected", selected);
  if (selected) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  button.dataset.verdict = incident.operator.verdict;
  return row;
}

function renderSilence(shown) {
  const box = $("#silence");
  box.hidden = shown.length > 0;
  if (box.hidden) return box.replaceChildren();
  if (!state.loaded) return fill(box, h("p", { text: t(state.connection === "lost" ? "silence.offline.text" : "silence.loading") }));
  if (state.past !== null) return fill(box, h("p", { text: t("replay.none") }));
  if (narrowing()) return fill(box, h("p", { text: t("narrow.none") }));
  if (state.filter === "decided") return fill(box, h("p", { text: t("list.none_decided") }));
  const { site } = state;
  const units = [...state.units.values()];
  const { key, names } = whySilent(site, units, state.connection, state.troubles);
  const title = site.profile.title[document.documentElement.lang] ?? site.profile.name;
  const values = { title, units: names.join(", "), total: units.length, alive: units.filter(reports).length,
    from: longDay(site.profile.valid_from), to: longDay(site.profile.valid_to) };
  const text = key === "quiet" && units.length === 1 ? "silence.quiet.one.text" : `silence.${key}.text`;
  const permitted = ["quiet", "some"].includes(key) ? allowed(site) : [];
  fill(box,
    state.incidents.size > 0 && key === "quiet" ? h("p", { class: "silence-title", text: t("list.none_undecided") }) : h("p", { class: "silence-title", text: t(`silence.${key}.title`) }),
    h("p", { text: t(text, values) }),
    permitted.length > 0 && h("p", { class: "quiet", text: t("silence.allowed", values) }),
    permitted.length > 0 && h("ul", { class: "allowed" }, permitted.map((type) => h("li", {}, icon(type.name, 16), typeName(type.name)))));
  return box;
}


