// The keyboard: single keys, which whoever is disturbed by them can switch off, and the page that lists them.

import { $, fill, h } from "./dom.js";
import { t } from "./i18n.js";
import { legendBody } from "./legend.js";

const KEY = "parvis.keys";
export const keysOn = () => localStorage.getItem(KEY) !== "off";

const TABLE = [
  [["J", "K"], "keys.move", "keys.or"],
  [["keys.key.enter"], "keys.open"],
  [["C", "1–3"], "keys.confirm", "keys.then"],
  [["D", "1–5"], "keys.dismiss", "keys.then"],
  [["W", "1–2"], "keys.withdraw", "keys.then"],
  [["L", "M", "U"], "keys.views", "keys.or"],
  [["F"], "keys.filter"],
  [["/"], "keys.place"],
  [["0"], "keys.fit"],
  [["R"], "keys.replay"],
  [["S"], "keys.sound"],
  [["?"], "keys.help"],
  [["keys.key.escape"], "keys.close"],
];

/** @param {Object<string, () => void>} actions By key, lower case. */
export function startKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key === "Escape") return actions.escape();
    if (event.key === "?") return showHelp();
    if (!keysOn()) return;
    const action = actions[/^(?:Digit|Numpad)0$/.test(event.code) ? "0" : event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
  $("#help").addEventListener("click", showHelp);
  $("#help-dialog").addEventListener("click", (event) => event.target === $("#help-dialog") && $("#help-dialog").close());
}

export function showHelp() {
  const dialog = $("#help-dialog");
  const words = (key) => (key.startsWith("keys.") ? t(key) : key);
  const box = h("input", { type: "checkbox", id: "keys-on", checked: keysOn(), on: { change: () => localStorage.setItem(KEY, box.checked ? "on" : "off") } });
  fill(dialog,
    h("h2", { id: "help-title", text: t("app.help") }),
    h("div", { class: "help-columns" },
      h("div", {},
        h("h3", { text: t("keys.title") }),
        h("dl", { class: "keys" }, TABLE.map(([keys, meaning, between]) => [
          h("dt", {}, keys.map((key, index) => [index > 0 && ` ${t(between)} `, h("kbd", { text: words(key) })])), h("dd", { text: t(meaning) })])),
        h("label", { class: "check", for: "keys-on" }, box, h("span", { text: t("keys.on") }))),
      h("div", {}, legendBody())),
    h("form", { method: "dialog", class: "dialog-foot" }, h("button", { class: "button primary", text: t("card.close") })));
  dialog.showModal();
}
