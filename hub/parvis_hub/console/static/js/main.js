// Puts the console together: asks the hub, listens to it, and shows what changes.

import * as api from "./api.js";
import { readDetail, renderCard, startCard } from "./card.js";
import { startConsent } from "./consent.js";
import { decide, renderOperator, startDecide } from "./decide.js";
import { $, $$, fill, h, setText } from "./dom.js";
import { startFleet } from "./fleet.js";
import { clock, day, moment, setTimeZone } from "./format.js";
import { currentLanguage, onLanguage, setLanguage, startWords, t, tn } from "./i18n.js";
import { icon } from "./icons.js";
import { startHandover } from "./handover.js";
import { showHelp, startKeys } from "./keys.js";
import { renderLegend } from "./legend.js";
import { FILTERS, focusRow, renderList, setFilter, startList, step } from "./list.js";
import { listen } from "./live.js";
import { canDraw, fitSite, keepInView, renderMap, showLines, showNamed, showPlace, startMap } from "./map.js";
import { startMore } from "./more.js";
import { focusPlace, startNarrow } from "./narrow.js";
import { startRecord } from "./record.js";
import { leaveReplay, openReplay, renderReplay, startReplay } from "./replay.js";
import { checkSession, startSession } from "./session.js";
import { ring, startSound, switchSound } from "./sound.js";
import { changed, health, hubNow, now, onChange, state } from "./state.js";
import { renderUnits, startUnits } from "./units.js";
import { healthName, healthWhy, place, reasons, typeName } from "./words.js";

// --- what is shown ------------------------------------------------------------------------------------------------------------

function render() {
  renderBar();
  renderReplay();
  renderList();
  renderUnits();
  renderCard();
  renderMap();
}

function renderBar() {
  setText($("#site-name"), state.site?.site ?? "");
  const time = hubNow();
  setText($("#clock-time"), clock(time));
  $("#clock-time").dateTime = time.toISOString();
  setText($("#clock-day"), day(time));
  const connection = $("#connection");
  connection.dataset.state = state.connection;
  setText(connection, t(`connection.${state.connection}`));
  const banner = $("#banner");
  const lost = state.connection === "lost" && state.lostSince !== null;
  // A hub that answers that it has no store is there.
  const troubles = lost && !("store" in state.troubles) ? [["lost_since", state.lostSince]] : Object.entries(state.troubles);
  banner.hidden = troubles.length === 0;
  const words = troubles.map(([name, since]) => t(`connection.${name}`, { time: moment(new Date(since), hubNow()) })).join(" ");
  if (banner.dataset.words !== words) {
    banner.dataset.words = words;
    fill(banner, words && icon("warning", 18), words && h("span", { text: words }));
  }
  document.body.toggleAttribute("data-stale", lost || "store" in state.troubles);
  const open = [...state.live.values()].filter((view) => view.incident.operator.verdict === "unconfirmed").length;
  document.title = `${open > 0 ? `(${open}) ` : ""}${state.site?.site ?? "Parvis"} · ${t("app.title")}`;
}

function announce(words) {
  const region = $("#announce");
  // The same words twice would not be read twice.
  region.replaceChildren(h("span", { text: words }));
}

// --- choosing and moving ------------------------------------------------------------------------------------------------------

function choose(id, { open = false } = {}) {
  if (state.selected !== id) {
    state.selected = id;
    state.detail = null;
    readDetail();
  }
  render();
  const view = state.incidents.get(id);
  if (view) keepInView(view.incident.position);
  if (open) $("#card").focus({ preventScroll: true });
}

function close() {
  const id = state.selected;
  state.selected = null;
  state.detail = null;
  render();
  if (!focusRow(id)) $("#list").focus({ preventScroll: true });
}

function view(name, { focus = true } = {}) {
  document.body.dataset.view = name;
  for (const button of $$(".views button")) {
    if (button.dataset.view === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  if (!focus) return;
  if (name === "list" && focusRow(state.selected)) return;
  const target = name === "list" ? ($("#incidents button[tabindex='0']") ?? $("#list")) : name === "map" ? ($("#map canvas") ?? $("#map-panel")) : $("#units");
  target.focus({ preventScroll: true });
}

function showOnMap(position, radius_m) {
  view("map");
  showPlace(position, radius_m);
}

// --- what the hub says --------------------------------------------------------------------------------------------------------

/** Each holds what the stream says while everything is read: it is newer than what is read. */
const readers = new Set();

async function readAll() {
  const meanwhile = [];
  readers.add(meanwhile);
  const [incidents, units] = await Promise.all([api.incidents(), api.units()]).finally(() => readers.delete(meanwhile));
  state.live = new Map(incidents.incidents.map((each) => [each.incident.incident, each]));
  for (const message of meanwhile) keep(message);
  state.truncated = incidents.truncated;
  state.units = new Map(units.units.map((unit) => [unit.name, unit]));
  state.loaded = true;
  if (state.selected !== null) readDetail();
  changed();
  return incidents.at;
}

let fresh = [];
let freshTimer = null;

/** Several at once are one announcement: a screen reader that reads thirty is of no use. */
function announceNew(incident) {
  fresh.push(incident);
  clearTimeout(freshTimer);
  freshTimer = setTimeout(() => {
    const [first] = fresh;
    if (fresh.some(({ operator }) => operator.verdict === "unconfirmed")) ring("incident");
    announce(fresh.length > 1 ? tn("announce.many", fresh.length)
      : t("announce.new", { type: typeName(first.type), where: place(first), time: moment(new Date(first.first_observed), hubNow()) }));
    fresh = [];
  }, 700);
}

/** @returns {boolean} Whether it is news. */
function keep(message) {
  if (message.gone) return state.live.delete(message.id);
  const id = message.incident.incident;
  if (state.live.get(id)?.revision > message.revision) return false;
  state.live.set(id, message);
  return true;
}

function incidentChanged(message) {
  for (const meanwhile of readers) meanwhile.push(message);
  const { incident } = message;
  const known = incident && state.live.get(incident.incident);
  if (!keep(message)) return undefined;
  if (message.gone) {
    if (state.selected === message.id) readDetail();
    return changed();
  }
  if (!known) announceNew(incident);
  else if (known.incident.operator.at !== incident.operator.at && incident.operator.by !== null) {
    announce(t("announce.verdict", { type: typeName(incident.type), verdict: t(`verdict.${incident.operator.verdict}`), by: incident.operator.by }));
  }
  if (state.selected === incident.incident) readDetail();
  return changed();
}

function unitChanged(unit) {
  const before = state.units.get(unit.name);
  state.units.set(unit.name, unit);
  if (before && health(before) !== health(unit)) {
    const why = reasons(unit).find((each) => each.why)?.why ?? healthWhy(unit);
    announce(t("announce.unit", { unit: unit.name, state: healthName(unit), reason: why }));
  }
  changed();
}

function lost(since) {
  if (state.connection !== "lost") {
    state.lostSince = new Date(since + state.clockOffset_ms);
    ring("lost");
  }
  state.connection = "lost";
  changed();
  // A stream that is refused looks like one that is lost.
  if (state.site !== null) checkSession().then(answered);
}

/** What the hub's answer, or its silence, says of how it is. @param {number} status Of HTTP; 0 for none. */
function answered(status) {
  state.troubles = status === 503 ? { store: state.troubles.store ?? hubNow().toISOString() } : {};
  changed();
}

function live() {
  const back = state.connection === "lost";
  state.connection = "live";
  state.lostSince = null;
  if (back) announce(t("connection.back"));
  changed();
}

/** Reads everything again, however often it takes. A hub with another plan, or another page, is begun anew. */
async function resync() {
  for (;;) {
    try {
      const { profile, ...plan } = await api.site();
      const { profile: _, ...known } = state.site;
      if (JSON.stringify(plan) !== JSON.stringify(known)) return location.reload();
      state.site.profile = profile;
      return await readAll();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
  }
}

/** A page may be open for weeks, and a profile come into force or end meanwhile. */
async function readProfile() {
  checkSession();
  try {
    state.site.profile = (await api.site()).profile;
    changed();
  } catch {
    // The stream says so if the hub is gone.
  }
}

// --- start --------------------------------------------------------------------------------------------------------------------

async function untilThere(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      lost(Date.now());
      answered(error.status);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
  }
}

async function start() {
  await startWords();
  startMore();
  startSound();
  $("#zoom-in").append(icon("plus", 18));
  $("#zoom-out").append(icon("minus", 18));
  $("#fit").append(icon("fit", 18));
  onChange(render);
  for (const button of $$("#languages button")) button.addEventListener("click", () => setLanguage(button.dataset.language));
  const language = () => {
    for (const button of $$("#languages button")) button.setAttribute("aria-pressed", String(button.dataset.language === currentLanguage()));
    renderOperator();
    renderLegend();
    render();
  };
  onLanguage(language);
  for (const button of $$(".views button")) {
    button.prepend(icon(button.dataset.view, 20));
    button.addEventListener("click", () => view(button.dataset.view));
  }
  language();
  await startSession(untilThere);
  renderOperator();
  state.site = await untilThere(api.site);
  setTimeZone(state.site.timezone);
  startList(choose);
  startUnits((name) => {
    const unit = state.units.get(name);
    showOnMap(unit.position, unit.range_m);
  });
  startCard({ close, decide, choose, showMap: (id) => {
    const { position } = state.incidents.get(id).incident;
    showOnMap(position, position.uncertainty_m);
  } });
  startConsent((lines) => {
    view("map");
    showLines(lines);
  });
  startRecord();
  startHandover();
  startFleet();
  startReplay(close);
  startDecide((decided, verdict, reason) => {
    announce(t("decide.saved", { verdict: t(`verdict.${verdict}`), reason: t(`verdict_reason.${reason}`) }));
    state.live.set(decided.incident.incident, decided);
    state.detail = null;
    readDetail();
    render();
    $("#card").focus({ preventScroll: true });
  });
  const selected = (act) => () => state.past === null && state.selected !== null && state.incidents.has(state.selected) && act(state.selected);
  const withdraw = (id) => state.incidents.get(id).incident.operator.verdict !== "unconfirmed" && decide(id, "unconfirmed");
  startKeys({
    j: () => step(1), k: () => step(-1), arrowdown: () => step(1), arrowup: () => step(-1),
    c: selected((id) => decide(id, "confirmed")), d: selected((id) => decide(id, "dismissed")), w: selected(withdraw),
    l: () => view("list"), m: () => view("map"), u: () => view("units"),
    f: () => setFilter(FILTERS[(FILTERS.indexOf(state.filter) + 1) % FILTERS.length]),
    0: () => fitSite(), "/": focusPlace, h: showHelp,
    r: openReplay, s: switchSound,
    escape: () => (state.selected !== null ? close() : leaveReplay()),
  });
  const drawn = canDraw();
  document.body.dataset.map = drawn ? "on" : "none";
  const at = await untilThere(readAll);
  const hasMap = drawn && (await startMap((id) => choose(id, { open: true })));
  document.body.dataset.map = hasMap ? "on" : "none";
  if (!hasMap) showNoMap(drawn);
  renderLegend();
  startNarrow((name) => {
    const unit = state.units.get(name);
    if (unit) showPlace(unit.position, unit.range_m);
    else showNamed(name);
  });
  view("list", { focus: false });
  render();
  listen(at, { incident: incidentChanged, unit: unitChanged, resync, live, lost, signed_out: checkSession,
    heartbeat: ({ time, troubles }) => {
      state.clockOffset_ms = Date.parse(time) - Date.now();
      state.troubles = troubles;
    } });
  setInterval(renderBar, 1_000);
  // How long ago things were; it is told in steps of five seconds.
  setInterval(render, 5_000);
  setInterval(readProfile, 600_000);
}

function showNoMap(failed) {
  const note = $("#map-missing");
  note.hidden = false;
  const words = () => fill(note, h("strong", { text: t("map.none.title") }), h("span", { text: t(failed ? "map.failed.text" : "map.none.text") }));
  words();
  onLanguage(words);
}

start();
