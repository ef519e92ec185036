// A past hour looked at again: a time is chosen, and list and map show what was there at each moment. What happens now goes on beside.

import * as api from "./api.js";
import { $, fill, h, setText } from "./dom.js";
import { clock, fromField, moment, number, toField } from "./format.js";
import { onLanguage, t, tn } from "./i18n.js";
import { icon } from "./icons.js";
import { keysOn } from "./keys.js";
import { drawNarrow } from "./narrow.js";
import { ANYTHING, changed, hubNow, state } from "./state.js";

const MINUTES = 60;
const SPEEDS = [1, 10, 60, 300];
/** How often the picture moves while it plays. */
const FRAME_MS = 200;
/** What the arrows move by, and with Shift. */
const STEP_S = 10, LEAP_S = 60;

let told = null;
let speed = 60;
let timer = null;
let before = null;
let closeCard = () => {};
let parts = null;

/** @param {() => void} close Closes the card: what is selected now may not have been there then. */
export function startReplay(close) {
  closeCard = close;
  $("#replay-open").addEventListener("click", () => (state.past === null && $("#replay").hidden ? openReplay() : leaveReplay()));
  document.addEventListener("keydown", key);
  onLanguage(() => {
    if (!$("#replay").hidden) draw();
    changed();
  });
}

/** Asks for a time; nothing changes before it is chosen. */
export function openReplay() {
  if ($("#replay").hidden) draw();
  parts.since.focus();
}

export function leaveReplay() {
  if ($("#replay").hidden) return;
  pause();
  told = null;
  $("#replay").hidden = true;
  document.body.removeAttribute("data-past");
  if (state.past !== null) {
    state.past = null;
    Object.assign(state, before);
    drawNarrow();
    closeCard();
  }
  changed();
  $("#replay-open").focus();
}

function draw() {
  const since = parts?.since.value || toField(new Date(hubNow() - MINUTES * 60_000));
  const button = (key, sign, act) => h("button", { type: "button", class: "tool square", "aria-label": t(key), title: t(key), on: { click: act } }, icon(sign, 18));
  parts = {
    since: h("input", { type: "datetime-local", id: "replay-since", value: since, max: toField(hubNow()), required: true }),
    play: h("button", { type: "button", class: "tool square", id: "replay-play", on: { click: toggle } }),
    scrub: h("input", { type: "range", id: "replay-at", min: "0", step: String(STEP_S), "aria-label": t("replay.at"), on: { input: () => go(told.from + Number(parts.scrub.value) * 1000) } }),
    marks: h("div", { class: "replay-marks", "aria-hidden": "true" }),
    time: h("output", { id: "replay-time", for: "replay-at" }),
    message: h("span", { class: "error", id: "replay-message", role: "alert" }),
    waiting: h("span", { class: "replay-waiting", role: "status" }),
  };
  fill($("#replay"),
    h("form", { class: "replay-choice", on: { submit: choose } }, h("label", { for: "replay-since", text: t("replay.since") }), parts.since,
      h("button", { type: "submit", class: "button", text: t("replay.show") })),
    h("div", { class: "replay-run", id: "replay-run" },
      button("replay.back", "previous", () => jump(-1)), parts.play, button("replay.forth", "next", () => jump(1)),
      h("label", { class: "visually-hidden", for: "replay-speed", text: t("replay.speed") }),
      h("select", { id: "replay-speed", on: { change: (event) => { speed = Number(event.target.value); } } },
        SPEEDS.map((each) => h("option", { value: String(each), text: `${number(each)}×`, selected: each === speed }))),
      h("div", { class: "replay-scrub" }, parts.scrub, parts.marks), parts.time),
    parts.message, parts.waiting,
    h("button", { type: "button", class: "button primary", text: t("replay.leave"), on: { click: leaveReplay } }));
  $("#replay").hidden = false;
  bounds();
  renderReplay();
}

async function choose(event) {
  event.preventDefault();
  pause();
  setText(parts.message, "");
  let found;
  try {
    found = await api.replay(fromField(parts.since.value), MINUTES);
  } catch (error) {
    setText(parts.message, error.why ? t("replay.refused", { why: error.why }) : t("replay.failed"));
    return;
  }
  // Somebody may have left meanwhile.
  if ($("#replay").hidden) return;
  told = { changes: found.changes.map((change) => ({ ...change, at: Date.parse(change.at) })), from: Date.parse(found.since), to: Date.parse(found.until) };
  if (state.past === null) {
    before = { filter: state.filter, narrow: state.narrow };
    Object.assign(state, { filter: "all", narrow: { ...ANYTHING } });
    drawNarrow();
    closeCard();
  }
  document.body.setAttribute("data-past", "");
  bounds();
  go(told.from);
  parts.play.focus();
}

/** What the slider reaches, and a mark where something begins. */
function bounds() {
  $("#replay-run").hidden = told === null;
  if (told === null) return;
  parts.scrub.max = String(Math.floor((told.to - told.from) / 1000));
  const seen = new Set();
  const begins = told.changes.filter(({ incident }) => incident && !seen.has(incident.incident) && seen.add(incident.incident));
  fill(parts.marks, begins.map(({ at }) => h("span", { style: { left: `${((at - told.from) / (told.to - told.from)) * 100}%` } })));
}

/** Shows a moment. */
function go(at) {
  if (told === null) return;
  const time = Math.max(told.from, Math.min(at, told.to));
  const incidents = new Map();
  for (const change of told.changes) {
    if (change.at > time) break;
    if (change.gone) incidents.delete(change.id);
    else incidents.set(change.incident.incident, change);
  }
  state.past = { at: new Date(time), incidents };
  if (time === told.to) pause();
  changed();
  renderReplay();
}

/** To where something changes next, or did last. */
function jump(by) {
  if (told === null) return;
  const at = state.past.at.getTime();
  const times = told.changes.map((change) => change.at);
  const found = by > 0 ? times.find((time) => time > at) : times.findLast((time) => time < at);
  go(found ?? (by > 0 ? told.to : told.from));
}

const playing = () => timer !== null;

function pause() {
  clearInterval(timer);
  timer = null;
}

function toggle() {
  if (told === null) return;
  if (playing()) pause();
  else {
    if (state.past.at.getTime() >= told.to) go(told.from);
    timer = setInterval(() => go(state.past.at.getTime() + FRAME_MS * speed), FRAME_MS);
  }
  renderReplay();
}

function key(event) {
  if (state.past === null || !keysOn() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  // Where a key has a meaning of its own already it keeps that: a button is pressed, the map is moved.
  if (document.querySelector("dialog[open]") || event.target.closest("input, select, textarea, button, a, summary, canvas")) return;
  const step = (event.shiftKey ? LEAP_S : STEP_S) * 1000;
  const act = { " ": toggle, ArrowLeft: () => go(state.past.at - step), ArrowRight: () => go(state.past.at.getTime() + step), n: () => jump(1), p: () => jump(-1) }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

/** The time that is shown, and how many wait for a decision now: nobody must miss what happens while they look back. */
export function renderReplay() {
  if (parts === null || $("#replay").hidden) return;
  const waiting = [...state.live.values()].filter(({ incident }) => incident.operator.verdict === "unconfirmed").length;
  setText(parts.waiting, tn("replay.waiting", waiting));
  parts.waiting.toggleAttribute("data-some", waiting > 0);
  if (state.past === null) return;
  const { at, incidents } = state.past;
  parts.scrub.value = String(Math.round((at - told.from) / 1000));
  const words = tn("replay.shown", incidents.size, { time: clock(at) });
  parts.scrub.setAttribute("aria-valuetext", words);
  setText(parts.time, moment(at, hubNow()));
  const label = t(playing() ? "replay.pause" : "replay.play");
  if (parts.play.title === label) return;
  parts.play.title = label;
  parts.play.setAttribute("aria-label", label);
  fill(parts.play, icon(playing() ? "pause" : "play", 18));
}
