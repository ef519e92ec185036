// Handing over a shift: what waits, what was found, and which units cannot be heard, on one page to read together or to print.

import { $, fill, h } from "./dom.js";
import { ago, clock, day, moment, number, timeZone } from "./format.js";
import { onLanguage, t, tn } from "./i18n.js";
import { unitSign } from "./icons.js";
import { health, hubNow, state } from "./state.js";
import { healthName, place, typeName } from "./words.js";

const HOURS = [4, 8, 12];
let hours = 8;

export function startHandover() {
  const dialog = $("#handover-dialog");
  $("#handover").addEventListener("click", () => {
    draw();
    dialog.showModal();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  onLanguage(() => dialog.open && draw());
}

function draw() {
  const now = hubNow();
  const since = new Date(now - hours * 3_600_000);
  const incidents = [...state.live.values()].map(({ incident }) => incident).sort((a, b) => (a.first_observed < b.first_observed ? -1 : 1));
  const waiting = incidents.filter(({ operator }) => operator.verdict === "unconfirmed");
  const decided = incidents.filter(({ operator }) => operator.verdict !== "unconfirmed" && new Date(operator.at) >= since);
  const confirmed = decided.filter(({ operator }) => operator.verdict === "confirmed");
  const dismissed = decided.filter(({ operator }) => operator.verdict === "dismissed");
  const away = [...state.units.values()].filter((unit) => health(unit) !== "alive" || unit.wrong_clock !== null);
  fill($("#handover-dialog"),
    h("h2", { id: "handover-title", text: `${t("handover.title")}, ${state.site.site}` }),
    h("p", { class: "quiet", text: `${day(now)} ${clock(now)} (${timeZone()})` }),
    h("div", { class: "segmented not-printed", role: "group", "aria-label": t("handover.since") }, HOURS.map((each) =>
      h("button", { type: "button", "aria-pressed": String(each === hours), text: tn("narrow.last_hours", each), on: { click: () => {
        hours = each;
        draw();
      } } }))),
    state.truncated && h("p", { class: "error", text: t("list.truncated", { count: number(state.live.size) }) }),
    Object.entries(state.troubles).map(([name, begun]) => h("p", { class: "error", text: t(`connection.${name}`, { time: moment(new Date(begun), now) }) })),
    part("waiting", waiting.length, list(waiting, now)),
    part("confirmed", confirmed.length, list(confirmed, now), since),
    part("dismissed", dismissed.length, h("ul", { class: "handover-list" }, counted(dismissed).map(([type, count]) => h("li", {}, h("span", { text: typeName(type) }), h("span", { text: number(count) })))), since),
    part("units", away.length, h("ul", { class: "handover-list" }, away.map((unit) => h("li", {}, unitSign(health(unit), 15), h("strong", { text: unit.name }),
      h("span", { text: unit.wrong_clock === null ? healthName(unit) : `${healthName(unit)}, ${t("handover.clock")}` }),
      h("span", { class: "quiet", text: unit.last_seen === null ? t("unit.never") : ago(new Date(unit.last_seen), now) }))))),
    h("form", { method: "dialog", class: "dialog-foot not-printed" },
      h("button", { type: "button", class: "button", text: t("handover.print"), on: { click: () => print() } }),
      h("button", { class: "button primary", text: t("card.close") })));
}

function part(name, count, content, since) {
  const words = since ? t(`handover.${name}`, { time: moment(since, hubNow()) }) : t(`handover.${name}`);
  return [h("h3", {}, words, " ", h("span", { class: "number", text: number(count) })), count > 0 ? content : h("p", { class: "quiet", text: t("handover.none") })];
}

const list = (incidents, now) => h("ul", { class: "handover-list" }, incidents.map((incident) => {
  const first = new Date(incident.first_observed);
  return h("li", { "data-incident": incident.incident }, h("time", { datetime: incident.first_observed, text: moment(first, now) }), h("strong", { text: typeName(incident.type) }),
    h("span", { text: place(incident) }), h("span", { class: "quiet", text: incident.operator.by ?? ago(first, now) }));
}));

function counted(incidents) {
  const counts = new Map();
  for (const { type } of incidents) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}
