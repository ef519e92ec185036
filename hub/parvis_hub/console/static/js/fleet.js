// The fleet: how far a rollout has come, ring by ring, why it was halted, what units run; and whoever may pauses it, resumes it, sends it back.

import * as api from "./api.js";
import { askName, operator } from "./decide.js";
import { $, fill, h, setText } from "./dom.js";
import { moment, number } from "./format.js";
import { onLanguage, t } from "./i18n.js";
import { may } from "./session.js";
import { now, state } from "./state.js";

const AGAIN_MS = 5_000;
/** What can be done in which phase. */
const ACTS = { running: ["pause", "back"], paused: ["resume", "back"], halted: ["resume", "back"], done: ["back"] };

let timer = null;
const told = h("div", { id: "fleet-told" });
const message = h("p", { id: "fleet-message", class: "error", role: "alert" });

const time = (text) => moment(new Date(text), now());

export function startFleet() {
  const open = $("#fleet");
  open.hidden = !may("see-units");
  open.addEventListener("click", show);
  const dialog = $("#fleet-dialog");
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => clearInterval(timer));
  onLanguage(() => dialog.open && draw());
}

function show() {
  draw();
  $("#fleet-dialog").showModal();
  clearInterval(timer);
  timer = setInterval(read, AGAIN_MS);
}

function draw() {
  setText(message, "");
  fill($("#fleet-dialog"),
    h("h2", { id: "fleet-title", text: t("fleet.title") }), told, message,
    h("form", { method: "dialog", class: "dialog-foot" }, h("button", { class: "button primary", text: t("card.close") })));
  read();
}

async function read() {
  try {
    const { units, rollouts, ends_soon } = await api.fleet();
    // What somebody is about to press stays where it is.
    if (told.querySelector(".fleet-sure")) return;
    fill(told, endings(ends_soon), rollouts.length === 0 ? h("p", { text: t("fleet.none") }) : rollout(rollouts[0]), table(units));
  } catch {
    setText(message, t("fleet.failed"));
  }
}

/** What nobody has renewed: units go on with what they have, and take nothing more, or are not let in. */
function endings(those) {
  return those.length > 0 && h("ul", { class: "error", id: "fleet-ends" }, those.map(({ what, name, until }) =>
    h("li", { text: until === null ? t(`fleet.unread.${what}`, { name }) : t(`fleet.ends.${what}`, { name, until: time(until) }) })));
}

function rollout(each) {
  return h("section", { class: "fleet-rollout", "data-phase": each.phase },
    h("p", {}, h("strong", { text: each.what }), ` · ${t(`fleet.phase.${each.phase}`)} · ${time(each.started)}`),
    each.soaking_since && each.phase === "running" && h("p", { class: "quiet", text: t("fleet.soaks", { since: time(each.soaking_since), hours: number(each.soak_h, 1) }) }),
    each.halt && h("p", { class: "error", text: why(each.halt) }),
    h("ol", { class: "fleet-rings" }, each.rings.map((ring, index) => h("li", {},
      h("span", { text: t("fleet.ring", { number: index + 1, share: Math.round(ring.share * 100) }) }),
      h("ul", { class: "fleet-squares" }, ring.units.map((unit) => h("li", { "data-step": unit.step, text: `${unit.name}: ${t(`fleet.step.${unit.step}`)}` })))))),
    may("manage-fleet") && h("div", { class: "fleet-tools" },
      (ACTS[each.phase] ?? []).filter((act) => act !== "back" || each.back_to).map((act) => h("button", {
        type: "button", class: "button", text: t(`fleet.act.${act}`), on: { click: (event) => sure(each, act, event.currentTarget) },
      }))));
}

function why({ jump, problem, units, asked }) {
  if (jump === null) return t("fleet.halted", { problem: t(`fleet.step.${problem}`), units: units.join(", "), asked });
  const rate = (tally) => number(tally.hours ? tally.events / tally.hours : 0, 2);
  return t("fleet.jump", {
    type: t(`type.${jump.type}`), before: rate(jump.before), after: rate(jump.after),
    others_before: rate(jump.others_before), others_after: rate(jump.others_after),
  });
}

/** Asks in place: what units are asked cannot be unasked. */
function sure(each, act, from) {
  const yes = h("button", { type: "button", class: "button primary fleet-sure", text: t("fleet.sure", { act: t(`fleet.act.${act}`) }), on: { click: () => steer(each, act) } });
  from.replaceWith(yes);
  yes.focus();
}

async function steer({ id }, act) {
  setText(message, "");
  try {
    const by = state.session.name === null ? operator() ?? (await askName()) : undefined;
    await api.steer(id, act, by);
  } catch (error) {
    setText(message, error.why || t("fleet.failed"));
  }
  fill(told);
  read();
}

function table(units) {
  const column = (key) => h("th", { scope: "col", text: t(`fleet.${key}`) });
  return h("div", { class: "table-scroll" }, h("table", { class: "table" },
    h("thead", {}, h("tr", {}, ["unit", "runs", "asked", "certificate"].map(column))),
    h("tbody", {}, units.map((unit) => h("tr", { "data-unit": unit.name },
      h("th", { scope: "row", text: unit.name }),
      h("td", { text: Object.entries(unit.models).map((model) => model.join(" ")).join(", ") || t("fleet.unknown") }),
      h("td", { text: unit.commands.map(command).join(", ") || t("fleet.nothing") }),
      h("td", { class: unit.certificate?.soon && "error", text: certificate(unit.certificate) }))))));
}

const command = ({ kind, acknowledged, refused }) =>
  `${t(`fleet.kind.${kind}`)}: ${acknowledged ? t("fleet.acknowledged") : refused ? t("fleet.refused", { why: refused }) : t("fleet.waiting")}`;

const certificate = (each) =>
  each === null ? t("fleet.no_certificate") : each.revoked ? t("fleet.revoked") : t(each.soon ? "fleet.soon" : "fleet.until", { until: time(each.until) });
