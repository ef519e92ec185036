// Who is at the page: signing in and out, and what a role may do.

import * as api from "./api.js";
import { $, fill, h, setText } from "./dom.js";
import { currentLanguage, onLanguage, setLanguage, t } from "./i18n.js";
import { state } from "./state.js";

const ENDED = "parvis.ended";
/** Why the hub sent somebody back who came from the provider. */
const REFUSALS = ["declined", "stale", "unreachable", "not_trusted", "no_role", "no_name", "name_taken", "wait"];

/** Taken out of the address at once, so that it is not told again, or by a bookmark. */
function refusal() {
  const why = new URLSearchParams(location.search).get("refused");
  if (why === null) return null;
  const rest = new URL(location.href);
  rest.searchParams.delete("refused");
  history.replaceState(null, "", rest);
  return REFUSALS.includes(why) ? why : null;
}

/** Whether whoever is at the page may do something; the hub asks itself again. */
export const may = (what) => state.session !== null && state.session.may.includes(what);

/** Reads who is signed in, and asks for it where that is needed. */
export async function startSession(untilThere) {
  state.session = await untilThere(api.session);
  if (state.session.required && state.session.name === null) {
    await askSignIn();
    state.session = await untilThere(api.session);
  }
  api.onRefused(checkSession);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && checkSession());
  const note = $("#open-note");
  note.hidden = state.session.required;
  const words = () => setText(note, t("session.open"));
  words();
  onLanguage(words);
}

/**
 * Begins anew where somebody else is signed in than the page believes, or nobody, or with another role.
 * @returns {Promise<number>} With what the hub answers; 0 if it does not.
 */
export async function checkSession() {
  try {
    const { csrf: _, ...found } = await api.session();
    const { csrf: __, ...known } = state.session;
    if (JSON.stringify(found) === JSON.stringify(known)) return 200;
    if (found.required && found.name === null) sessionStorage.setItem(ENDED, "1");
    location.reload();
    return 200;
  } catch (error) {
    return error.status;
  }
}

/** @returns {Promise<void>} Once somebody has signed in. */
function askSignIn() {
  const dialog = $("#sign-in-dialog");
  const ended = sessionStorage.getItem(ENDED) !== null;
  sessionStorage.removeItem(ENDED);
  const name = h("input", { id: "sign-in-name", type: "text", autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: "32", "aria-describedby": "sign-in-error" });
  const password = h("input", { id: "sign-in-password", type: "password", autocomplete: "current-password", maxlength: "256", "aria-describedby": "sign-in-error" });
  const error = h("p", { id: "sign-in-error", class: "error", role: "alert" });
  const send = h("button", { type: "submit", class: "button primary" });
  const provider = state.session.openid && h("a", { class: "button primary elsewhere", href: api.ELSEWHERE });
  const beside = provider && h("p", { class: "quiet small" });
  const labels = [h("h2", { id: "sign-in-title" }), h("label", { for: "sign-in-name" }), h("label", { for: "sign-in-password" })];
  const other = h("button", { type: "button", class: "button plain", on: { click: () => setLanguage(currentLanguage() === "en" ? "fr" : "en") } });
  let refused = refusal();
  const words = () => {
    [t("session.title"), t("operator.field"), t("session.password")].forEach((each, index) => setText(labels[index], each));
    setText(send, t("session.sign_in"));
    if (provider) setText(provider, t("session.elsewhere", { title: state.session.openid }));
    if (provider) setText(beside, t("session.beside"));
    if (refused) setText(error, t(`refusal.${refused}`));
    setText(other, currentLanguage() === "en" ? "Français" : "English");
    other.lang = currentLanguage() === "en" ? "fr" : "en";
  };
  words();
  onLanguage(words);
  if (ended) setText(error, t("session.ended"));
  return new Promise((resolve) => {
    fill(dialog, h("form", { method: "dialog", novalidate: true, on: { submit: async (event) => {
      event.preventDefault();
      refused = null;
      send.disabled = true;
      try {
        await api.signIn(name.value.trim(), password.value);
        dialog.close();
        resolve();
      } catch (failed) {
        setText(error, failed.status === 401 || failed.status === 422 ? t("session.wrong")
          : failed.status === 429 ? t("session.wait", { seconds: failed.wait_s }) : failed.status === 0 ? t("session.no_hub") : t("session.refused", { status: failed.status }));
        send.disabled = false;
        password.focus();
        password.select();
      }
    } } }, labels[0], provider, beside, labels[1], name, labels[2], password, error, h("div", { class: "dialog-foot" }, other, send)));
    // A browser closes a dialog at the second Escape whatever is said to the first.
    dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());
    dialog.showModal();
    (provider ?? name).focus();
  });
}

/** Says who is signed in, and lets them sign out. */
export function showSession() {
  const dialog = $("#operator-dialog");
  const leave = async () => {
    try {
      const { leave: elsewhere } = await api.signOut();
      if (elsewhere !== null) return location.assign(elsewhere);
    } catch {
      // What is no session any more needs no end; a hub that is gone is told when it is back.
    }
    location.reload();
  };
  fill(dialog,
    h("h2", { id: "operator-title", text: state.session.name }),
    h("p", { text: t(`role.${state.session.role}`) }),
    h("div", { class: "dialog-foot" },
      h("button", { type: "button", class: "button", text: t("decide.cancel"), on: { click: () => dialog.close() } }),
      h("button", { type: "button", class: "button primary", text: t("session.sign_out"), on: { click: leave } })));
  dialog.showModal();
}
