// The record: what is kept and for how long, with the proof that what has expired is gone; and the accountability log, the newest first.

import * as api from "./api.js";
import { $, fill, h, setText } from "./dom.js";
import { moment, number, span } from "./format.js";
import { onLanguage, t } from "./i18n.js";
import { may } from "./session.js";
import { now } from "./state.js";

const kinds = h("div", { id: "record-kept" });
const entries = h("tbody");
const head = h("p", { id: "record-head", class: "small" });
const message = h("p", { id: "record-message", class: "error", role: "alert" });
const earlier = h("button", { type: "button", class: "button", on: { click: () => readLog(oldest) } });
let oldest = null;

const time = (text) => moment(new Date(text), now());
const until = (at_us) => t("record.until", { until: moment(new Date(at_us / 1_000), now()) });
const rows = (about) => Object.entries(about).filter(([, count]) => count > 0).map(([kind, count]) => `${t(`kept.${kind}`)}\u00a0: ${number(count)}`);

/** What an entry is about, in words and by the ids under which the hub knows it. */
export const ABOUT = {
  hub_started: ({ site, profile }) => [site.slice(0, 12), profile.slice(0, 12)],
  verdict_given: ({ verdict, reason, incident }) => [t(`verdict.${verdict}`), t(`verdict_reason.${reason}`), incident],
  plate_viewed: ({ incident }) => [incident],
  rows_expired: rows,
  log_pruned: ({ upto }) => [t("record.upto", { upto })],
  backup_made: () => [],
  store_restored: ({ made_us }) => [moment(new Date(made_us / 1_000), now())],
  consent_given: ({ consent, tag, until_us }) => [consent, t("record.tag", { tag }), until(until_us)],
  consent_renewed: ({ consent, until_us, reason }) => [consent, until(until_us), reason && t(`renewal_reason.${reason}`)],
  consent_ended: ({ consent, ending, sightings }) => [consent, t(`consent_status.${ending}`), t("record.sightings", { count: number(sightings) })],
  route_viewed: ({ consent }) => [consent],
  route_exported: ({ consent, format }) => [consent, format],
  signed_in: () => [],
  sign_ins_refused: ({ count }) => [number(count)],
  user_changed: ({ user, change, role }) => [user, t(`user_change.${change}`), role && t(`role.${role}`)],
  token_changed: ({ token, may: what }) => [token, ...what],
  rollout_changed: ({ act, model, rollout }) => [t(`rollout_act.${act}`), model && `${model.name} ${model.version}`, rollout],
  claim_made: ({ unit, until_us }) => [unit, until(until_us)],
  certificate_issued: ({ name, until_us }) => [name, until(until_us)],
  certificates_revoked: ({ name, count }) => [name, number(count)],
};

export function startRecord() {
  const open = $("#record");
  open.hidden = !may("see-log");
  open.addEventListener("click", () => {
    draw();
    $("#record-dialog").showModal();
  });
  const dialog = $("#record-dialog");
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  onLanguage(() => dialog.open && draw());
}

function draw() {
  setText(message, "");
  setText(earlier, t("record.earlier"));
  fill(entries);
  fill($("#record-dialog"),
    h("h2", { id: "record-title", text: t("record.title") }),
    h("h3", { text: t("record.kept") }), h("p", { class: "quiet", text: t("record.kept_why") }), kinds,
    h("h3", { text: t("record.log") }), h("p", { class: "quiet", text: t("record.log_why") }), head,
    table("record-log", ["number", "time", "by", "what"], entries), message,
    h("form", { method: "dialog", class: "dialog-foot" }, earlier, h("button", { class: "button primary", text: t("card.close") })));
  readKept();
  readLog(null);
}

function table(id, columns, body) {
  return h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": t(id === "record-log" ? "record.log" : "record.kept") },
    h("table", { id, class: "table" }, h("thead", {}, h("tr", {}, columns.map((key) => h("th", { scope: "col", text: t(`record.${key}`) })))), body));
}

async function readKept() {
  try {
    const { kinds: found } = await api.retention();
    fill(kinds, table("record-kinds", ["kind", "for", "rows", "next", "overdue", "deleted"], h("tbody", {}, found.map(kind))));
  } catch {
    setText(message, t("record.failed"));
  }
}

function kind({ kind: name, kept_h, rows: count, expires_first, overdue, deleted }) {
  const gone = deleted && t("record.gone", { count: number(deleted.rows), time: time(deleted.at), entry: deleted.entry });
  return h("tr", { "data-kind": name }, h("th", { scope: "row", text: t(`kept.${name}`) }),
    cell("for", span(kept_h * 3_600)), cell("rows", number(count)), cell("next", expires_first ? time(expires_first) : "–"),
    cell("overdue", number(overdue), overdue > 0 && "error"), cell("deleted", gone ?? "–"));
}

/** With the name of its column, which stands beside it where there is no room for a table. */
const cell = (column, text, kind = null) => h("td", { class: kind, text, "data-label": t(`record.${column}`) });

async function readLog(before) {
  try {
    const { entries: found, head: end } = await api.log(before);
    setText(head, end === null ? t("record.no_head") : "");
    if (end !== null) fill(head, t("record.head"), " ", h("code", { text: end }));
    if (before === null) fill(entries);
    entries.append(...found.map(entry));
    oldest = found.at(-1)?.number ?? oldest;
    earlier.hidden = found.length === 0 || oldest === 1;
  } catch {
    setText(message, t("record.failed"));
  }
}

function entry({ number: at, time: when, by, what, about }) {
  return h("tr", { "data-entry": at, "data-what": what }, h("td", { text: String(at) }), h("td", { text: time(when) }), h("td", { text: by }),
    h("td", {}, h("strong", { text: t(`what.${what}`) }), h("span", { class: "quiet small", text: ABOUT[what](about).filter(Boolean).map((each) => ` · ${each}`).join("") })));
}
