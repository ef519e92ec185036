// Routes by consent: who wears a tag and until when; enrolling, withdrawing with a receipt, the tag to print, the route.

import { askName, operator } from "./decide.js";
import { $, fill, h, setText } from "./dom.js";
import * as api from "./api.js";
import { moment } from "./format.js";
import { onLanguage, t } from "./i18n.js";
import { may } from "./session.js";
import { changed, now, state } from "./state.js";

const NAME = "[a-z0-9]([a-z0-9\\-]{0,30}[a-z0-9])?";
const PURPOSES = ["stewarding", "race", "procession", "crew", "service_vehicle", "test"];
const RENEWALS = ["lasts_longer", "takes_part_again", "end_was_wrong"];
const RUNNING = ["active", "waiting", "without_key"];
/** An open route is asked for again so often; that somebody looks is in the accountability log. */
const AGAIN_MS = 10_000;

let shown = null;
/** Whether the route is on the map, and stays there when the register is closed. */
let mapped = false;
let showMap = () => {};
let timer = null;
const listed = h("div", { id: "consent-list" });
const message = h("p", { id: "consent-message", class: "error", role: "alert" });
const receipt = h("div", { id: "consent-receipt", role: "status" });
const route = h("div", { id: "consent-route", "aria-live": "polite" });

const time = (text) => moment(new Date(text), now());
const button = (key, act, more = {}) => h("button", { type: "button", class: "button", text: t(key), on: { click: act }, ...more });
const link = (key, href, participant) => h("a", { class: "button", href, download: true, text: t(key), "aria-label": `${t(key)}: ${participant}` });

/** Who does it: whoever is signed in; else the name that is kept in this browser. */
async function by() {
  return state.session.name === null ? operator() ?? (await askName()) : undefined;
}

/** @param {(lines: object[]) => void} onMap Called to bring a route into view. */
export function startConsent(onMap) {
  showMap = onMap;
  const open = $("#routes");
  open.hidden = !may("manage-consent");
  open.addEventListener("click", show);
  const dialog = $("#consent-dialog");
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => !mapped && hideRoute());
  onLanguage(() => {
    if (dialog.open) draw();
    drawKey();
  });
}

function show() {
  fill(receipt);
  hideRoute();
  setText(message, "");
  draw();
  $("#consent-dialog").showModal();
}

function draw() {
  fill($("#consent-dialog"),
    h("h2", { id: "consent-title", text: t("consent.title") }),
    h("p", { class: "quiet", text: t("consent.why") }),
    receipt, listed, route, enrolForm(), message,
    h("form", { method: "dialog", class: "dialog-foot" }, h("button", { class: "button primary", text: t("card.close") })));
  read();
}

async function attempt(work) {
  setText(message, "");
  try {
    await work();
  } catch (error) {
    setText(message, error.why ? t("consent.refused", { why: error.why }) : t("consent.failed"));
  }
}

const read = () => attempt(async () => {
  const { consents } = await api.consents();
  fill(listed, consents.length === 0 ? h("p", { text: t("consent.none") }) : h("ul", { class: "consents" }, consents.map(entry)));
});

function entry(consent) {
  const { participant, status } = consent;
  const label = { "aria-label": `${t("consent.withdraw")}: ${participant}` };
  return h("li", { "data-participant": participant, "data-status": status },
    h("p", {}, h("strong", { text: participant }), " ", h("span", { text: t("consent.wears", { tag: consent.tag, purpose: t(`purpose.${consent.purpose}`) }) })),
    h("p", { class: "quiet small", text: [t(`consent_status.${status}`), t("consent.period", { since: time(consent.since), until: time(consent.until) }),
      t("consent.proof_short", { proof: consent.proof }), t("consent.sightings", { count: consent.sightings })].join(" · ") }),
    RUNNING.includes(status) && h("div", { class: "consent-tools" },
      status === "active" && may("see-routes") && button("consent.route", () => showRoute(participant), { "aria-label": `${t("consent.route")}: ${participant}` }),
      status === "active" && may("see-routes") && link("consent.geojson", `api/routes/${participant}/export.geojson${named()}`, participant),
      status === "active" && may("see-routes") && link("consent.gpx", `api/routes/${participant}/export.gpx${named()}`, participant),
      status !== "without_key" && link("consent.sheet", `api/consents/${participant}/sheet.pdf`, participant),
      status !== "without_key" && button("consent.renew", (event) => askRenewal(consent, event.currentTarget), { "aria-label": `${t("consent.renew")}: ${participant}` }),
      button("consent.withdraw", (event) => confirmWithdrawal(participant, event.currentTarget), label)));
}

const named = () => (state.session.name === null && operator() ? `?by=${operator()}` : "");

/** Asks in place until when, why, and under which number the new paper is: nobody's time is prolonged without their having signed again. */
function askRenewal({ participant, proof }, from) {
  const field = (name, input) => h("label", {}, h("span", { text: t(`consent.field.${name}`) }), input);
  const days = h("input", { name: "days", type: "number", min: "1", max: "31", value: "1", required: true });
  const paper = h("input", { name: "proof", type: "text", pattern: NAME, maxlength: "32", required: true, autocomplete: "off", autocapitalize: "none", spellcheck: "false", placeholder: proof });
  const reason = h("select", { name: "reason" }, RENEWALS.map((each) => h("option", { value: each, text: t(`renewal_reason.${each}`) })));
  from.replaceWith(h("form", { method: "dialog", class: "consent-renewal", on: { submit: (event) => {
    event.preventDefault();
    attempt(async () => {
      const name = await by();
      if (name === null) return;
      await api.renew(participant, { until: inDays(days.value), proof: paper.value.trim(), reason: reason.value, by: name });
      await read();
    });
  } } }, field("days", days), field("proof", paper), field("reason", reason),
  h("button", { type: "submit", class: "button primary", text: t("consent.renew") }), button("decide.cancel", read)));
  days.focus();
}

const inDays = (days) => new Date(now().getTime() + Number(days) * 86_400_000).toISOString();

/** Asks once more, in place: what is deleted cannot be had back. */
function confirmWithdrawal(participant, from) {
  const sure = button("consent.withdraw_sure", () => withdraw(participant), { class: "button primary" });
  from.replaceWith(h("span", { class: "consent-sure" }, h("span", { text: t("consent.withdraw_ask", { participant }) }), " ", sure, button("decide.cancel", read)));
  sure.focus();
}

const withdraw = (participant) => attempt(async () => {
  const name = await by();
  if (name === null) return;
  const given = await api.withdraw(participant, name);
  hideRoute();
  fill(receipt, h("div", { class: "consent-receipt", tabindex: "-1" },
    h("h3", { text: t("consent.receipt") }),
    h("p", { text: t("consent.receipt_text", { participant: given.participant, tag: given.tag, time: time(given.at), count: given.sightings }) }),
    h("p", { class: "small", text: t("consent.receipt_entry", { consent: given.consent }) }),
    h("p", {}, h("code", { text: given.entry }))));
  receipt.firstChild.focus();
  await read();
});

async function showRoute(participant) {
  shown = participant;
  clearInterval(timer);
  timer = setInterval(readRoute, AGAIN_MS);
  await readRoute();
}

function hideRoute() {
  shown = null;
  mapped = false;
  clearInterval(timer);
  fill(route);
  setRoute(null);
}

function setRoute(told) {
  state.route = told;
  drawKey();
  changed();
}

/** Whose route is on the map, and what its strokes mean. */
function drawKey() {
  const key = $("#route-key");
  key.hidden = state.route === null;
  if (state.route === null) return key.replaceChildren();
  const { participant, way } = state.route;
  const sign = (kind) => h("span", { class: `swatch swatch-${kind}`, "aria-hidden": "true" });
  return fill(key, h("strong", { text: t("consent.route_of", { participant }) }),
    way.length === 0 ? h("span", { text: t("consent.no_way") }) : [
      h("span", { class: "route-sign" }, sign("route"), t("consent.observed")), h("span", { class: "route-sign" }, sign("route-gap"), t("consent.not_observed"))],
    h("button", { type: "button", class: "link", text: t("consent.hide"), on: { click: hideRoute } }));
}

function toMap() {
  mapped = true;
  $("#consent-dialog").close();
  showMap(state.route.way);
}

async function readRoute() {
  const participant = shown;
  let told;
  setText(message, "");
  try {
    told = await api.route(participant, state.session.name === null ? operator() : null);
  } catch (error) {
    if (participant !== shown) return;
    // Whoever has withdrawn has no route any more, here neither, at once; nor has anybody for whom it may not be shown.
    if (error.status !== 0) hideRoute();
    setText(message, t(error.status === 404 ? "consent.route_gone" : "consent.failed", { participant }));
    return;
  }
  if (participant !== shown) return;
  const { route: found, sightings, damaged, way } = told;
  fill(route,
    h("h3", { text: t("consent.route_of", { participant }) }),
    damaged.length > 0 && h("p", { class: "error", text: t("consent.damaged", { rows: damaged.join(", ") }) }),
    found === null || found.segments.length === 0 ? h("p", { text: t("consent.no_route", { count: sightings }) })
      : [h("ol", { class: "route" }, found.segments.map((segment) => h("li", { "data-walkway": segment.walkway, "data-observed": String(segment.observed) },
        h("strong", { text: segment.walkway }), ` ${time(segment.entered)} – ${time(segment.left)} `,
        !segment.observed && h("em", { text: t("consent.not_observed") })))),
      button("card.show_map", toMap, { class: "button on-map" })]);
  setRoute({ participant, way });
}

function enrolForm() {
  const field = (name, more) => {
    const input = h("input", { id: `consent-${name}`, name, required: true, autocomplete: "off", autocapitalize: "none", spellcheck: "false", ...more });
    return [h("label", { for: `consent-${name}`, text: t(`consent.field.${name}`) }), input];
  };
  const form = h("form", { id: "consent-form", method: "dialog", class: "consent-form", on: { submit: (event) => {
    event.preventDefault();
    attempt(() => enrol(form));
  } } },
  h("h3", { text: t("consent.enrol") }),
  h("p", { class: "quiet small", text: t("consent.rule") }),
  field("participant", { type: "text", pattern: NAME, maxlength: "32" }),
  field("tag", { type: "number", min: "0", max: "586" }),
  h("label", { for: "consent-purpose", text: t("consent.field.purpose") }),
  h("select", { id: "consent-purpose", name: "purpose" }, PURPOSES.map((purpose) => h("option", { value: purpose, text: t(`purpose.${purpose}`) }))),
  field("proof", { type: "text", pattern: NAME, maxlength: "32" }),
  field("days", { type: "number", min: "1", max: "31", value: "1" }),
  h("button", { type: "submit", class: "button", text: t("consent.enrol") }));
  return form;
}

async function enrol(form) {
  const name = await by();
  if (name === null) return;
  const value = (field) => form.elements[field].value.trim();
  await api.enrol({ participant: value("participant"), tag: Number(value("tag")), purpose: value("purpose"), proof: value("proof"), until: inDays(value("days")), by: name });
  form.reset();
  fill(receipt);
  await read();
}
