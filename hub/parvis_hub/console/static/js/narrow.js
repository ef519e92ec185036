// Which incidents are listed, besides what waits for a decision: by what, unit, time, verdict and place; there is no asking for a person.

import { $, fill, h, setText } from "./dom.js";
import { onLanguage, t, tn } from "./i18n.js";
import { ANYTHING, changed, listed, narrowing, state } from "./state.js";
import { typeName } from "./words.js";

const HOURS = ["1", "8", "24"];

let show = () => {};

/** Makes the form; it stays closed until somebody opens it. @param {(name: string) => void} onShow Called to show a unit or a place of the plan on the map. */
export function startNarrow(onShow) {
  show = onShow;
  onLanguage(drawNarrow);
  drawNarrow();
}

/** The areas and things of the plan that the map has. */
const places = () => [...new Set(state.site.basemap.features.filter(({ properties }) => ["zone", "lane", "asset"].includes(properties.layer)).map(({ properties }) => properties.name))].sort();

/** Draws the form as what is listed is narrowed now. */
export function drawNarrow() {
  const option = (chosen) => ([value, words]) => h("option", { value, text: words, selected: chosen === value });
  const choice = (name, ...options) => h("label", {}, h("span", { text: t(`narrow.${name}`) }),
    h("select", { "data-narrow": name, on: { change: (event) => set(name, event.target.value) } }, [["", t("narrow.any")], ...options].map(option(state.narrow[name]))));
  fill($("#narrow-body"),
    choice("place", ...(document.body.dataset.map === "none" ? [] : [["map", t("narrow.on_map")]]), ...places().map((name) => [`at:${name}`, name])),
    choice("type", ...state.site.event_types.map(({ name }) => [name, typeName(name)])),
    choice("unit", ...state.site.units.map(({ name }) => [name, name])),
    choice("hours", ...HOURS.map((hours) => [hours, tn("narrow.last_hours", Number(hours))])),
    choice("verdict", ...["confirmed", "dismissed"].map((verdict) => [verdict, t(`verdict.${verdict}`)])),
    h("label", {}, h("span", { text: t("narrow.order") }), h("select", { "data-order": true, on: { change: (event) => {
      state.order = event.target.value;
      changed();
    } } }, [["newest", t("narrow.newest")], ["oldest", t("narrow.oldest")]].map(option(state.order)))),
    h("button", { type: "button", class: "link", text: t("narrow.clear"), on: { click: () => {
      state.narrow = { ...ANYTHING };
      drawNarrow();
      changed();
    } } }));
}

/** To the choice of a place, from the keyboard: the first letters of its name find it. */
export function focusPlace() {
  $("#narrow").open = true;
  $("[data-narrow='place']").focus();
}

function set(name, value) {
  state.narrow = { ...state.narrow, [name]: value };
  if (name === "unit" && value) show(value);
  if (name === "place" && value.startsWith("at:")) show(value.slice(3));
  changed();
}

/** Says how many are hidden, so that nobody takes a short list for a quiet place. */
export function renderNarrow() {
  const hidden = narrowing() ? listed(state.filter, ANYTHING).length - listed().length : 0;
  setText($("#narrow-hidden"), narrowing() ? tn("narrow.hidden", hidden) : "");
  $("#narrow").toggleAttribute("data-on", narrowing());
}
