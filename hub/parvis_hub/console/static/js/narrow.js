// Which incidents are listed, besides what waits for a decision: by what, unit, time, verdict and place; there is no asking for a person.

import { $, fill, h, setText } from "./dom.js";
import { onLanguage, t, tn } from "./i18n.js";
import { ANYTHING, changed, listed, narrowing, state } from "./state.js";
import { typeName } from "./words.js";

const HOURS = ["1", "8", "24"];

/** Makes the form; it stays closed until somebody opens it. */
export function startNarrow() {
  onLanguage(drawNarrow);
  drawNarrow();
}

/** Draws the form as what is listed is narrowed now. */
export function drawNarrow() {
  const choice = (name, options) => h("label", {}, h("span", { text: t(`narrow.${name}`) }),
    h("select", { "data-narrow": name, on: { change: (event) => set(name, event.target.value) } },
      h("option", { value: "", text: t("narrow.any") }), options.map(([value, words]) => h("option", { value, text: words, selected: state.narrow[name] === value }))));
  fill($("#narrow-body"),
    choice("type", state.site.event_types.map(({ name }) => [name, typeName(name)])),
    choice("unit", state.site.units.map(({ name }) => [name, name])),
    choice("hours", HOURS.map((hours) => [hours, tn("narrow.last_hours", Number(hours))])),
    choice("verdict", ["confirmed", "dismissed"].map((verdict) => [verdict, t(`verdict.${verdict}`)])),
    document.body.dataset.map !== "none" && choice("place", [["map", t("narrow.on_map")]]),
    h("button", { type: "button", class: "link", text: t("narrow.clear"), on: { click: () => {
      state.narrow = { ...ANYTHING };
      drawNarrow();
      changed();
    } } }));
}

function set(name, value) {
  state.narrow = { ...state.narrow, [name]: value };
  changed();
}

/** Says how many are hidden, so that nobody takes a short list for a quiet place. */
export function renderNarrow() {
  const hidden = narrowing() ? listed(state.filter, ANYTHING).length - listed().length : 0;
  setText($("#narrow-hidden"), narrowing() ? tn("narrow.hidden", hidden) : "");
  $("#narrow").toggleAttribute("data-on", narrowing());
}
