// A person decides: confirm, dismiss or take back, each with a reason of a closed list, in two keystrokes, signed.

import * as api from "./api.js";
import { $, $$, fill, h, setText } from "./dom.js";
import { t } from "./i18n.js";
import { icon } from "./icons.js";
import { may, showSession } from "./session.js";
import { state } from "./state.js";
import { typeName } from "./words.js";

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const KEY = "parvis.operator";
const TITLES = { confirmed: "decide.confirm_title", dismissed: "decide.dismiss_title", unconfirmed: "decide.withdraw_title" };

let after = () => {};

/** @param {(view: object) => void} onDecided Called with the incident as the hub then has it. */
export function startDecide(onDecided) {
  after = onDecided;
  $("#operator").addEventListener("click", () => (state.session.name === null ? askName() : showSession()));
  for (const dialog of [$("#decide-dialog"), $("#operator-dialog")]) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
}

/** The name under which decisions are made: of whoever is signed in, or the one that was given where nobody signs in. */
export const operator = () => {
  if (state.session?.name) return state.session.name;
  const name = localStorage.getItem(KEY);
  return name && NAME.test(name) ? name : null;
};

export function renderOperator() {
  const name = operator();
  const button = $("#operator");
  setText(button, name ?? t("operator.none"));
  const label = state.session?.name ? t("session.signed_in", { name, role: t(`role.${state.session.role}`) }) : name ? t("operator.change", { name }) : t("operator.ask");
  button.setAttribute("aria-label", label);
  button.title = label;
}

/** Asks for the operator's name. @returns {Promise<string|null>} null if nobody gave one. */
export function askName() {
  const dialog = $("#operator-dialog");
  return new Promise((resolve) => {
    const input = h("input", { id: "operator-name", type: "text", autocomplete: "off", autocapitalize: "none", spellcheck: "false", maxlength: "32",
      "aria-describedby": "operator-rule operator-error", value: operator() ?? "" });
    const error = h("p", { id: "operator-error", class: "error", role: "alert" });
    const form = h("form", { method: "dialog", novalidate: true, on: { submit: (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!NAME.test(name)) {
        setText(error, t("operator.bad"));
        input.setAttribute("aria-invalid", "true");
        input.focus();
        return;
      }
      localStorage.setItem(KEY, name);
      renderOperator();
      dialog.close("kept");
    } } },
    h("h2", { id: "operator-title", text: t("operator.ask") }),
    h("p", { text: t("operator.why") }),
    h("label", { for: "operator-name", text: t("operator.field") }), input,
    h("p", { id: "operator-rule", class: "quiet", text: t("operator.rule") }), error,
    h("div", { class: "dialog-foot" },
      h("button", { type: "button", class: "button", text: t("decide.cancel"), on: { click: () => dialog.close() } }),
      h("button", { type: "submit", class: "button primary", text: t("operator.save") })));
    fill(dialog, form);
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "kept" ? operator() : null), { once: true });
    dialog.showModal();
    input.focus();
    input.select();
  });
}

/** Opens the reasons of a verdict for an incident; a digit or a click then decides. */
export async function decide(id, verdict) {
  const view = state.incidents.get(id);
  if (!view || $("#decide-dialog").open || !may("decide")) return;
  const by = operator() ?? (await askName());
  if (by === null) return;
  const dialog = $("#decide-dialog");
  const message = h("p", { class: "error", role: "alert" });
  const reasons = state.site.reasons[verdict];
  const buttons = reasons.map((reason, index) =>
    h("button", { type: "button", class: "reason-button", "data-reason": reason, on: { click: () => send(reason) } },
      h("kbd", { text: String(index + 1), "aria-hidden": "true" }), h("span", { text: t(`verdict_reason.${reason}`) })));

  async function send(reason) {
    for (const button of buttons) button.disabled = true;
    setText(message, t("decide.saving"));
    try {
      const decided = await api.decide(id, verdict, reason, state.session.name === null ? by : undefined);
      dialog.close();
      after(decided, verdict, reason);
    } catch (error) {
      const why = error.status === 0 ? t("decide.failed.network") : error.status === 404 ? t("decide.failed.gone") : error.status === 503 ? t("decide.failed.store") : t("decide.failed.refused", { status: error.status });
      setText(message, t("decide.failed", { why }));
      for (const button of buttons) button.disabled = false;
      buttons[0].focus();
    }
  }

  fill(dialog,
    h("div", { class: "dialog-head" }, icon(view.incident.type, 20), h("p", { class: "quiet", text: typeName(view.incident.type) })),
    h("h2", { id: "decide-title", text: t(TITLES[verdict]) }),
    h("p", { class: "quiet", text: t("decide.pick") }),
    h("div", { class: "reason-list", role: "group", "aria-labelledby": "decide-title" }, buttons),
    message,
    h("div", { class: "dialog-foot" }, h("button", { type: "button", class: "button", text: t("decide.cancel"), on: { click: () => dialog.close() } })));
  dialog.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // By the key's place, not its sign: on a French keyboard the digits of the upper row need Shift.
    const at = Number(/^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1]) - 1;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (buttons[at] && !buttons[at].disabled) {
      event.preventDefault();
      buttons[at].click();
    } else if (move) {
      event.preventDefault();
      const here = $$("button", dialog).indexOf(document.activeElement);
      buttons[Math.max(0, Math.min((here < 0 ? -1 : here) + move, buttons.length - 1))].focus();
    }
    event.stopPropagation();
  };
  dialog.showModal();
  buttons[0].focus();
}
