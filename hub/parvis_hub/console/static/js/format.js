// Numbers, quantities and times, as the reader's language writes them.

import { currentLanguage, t } from "./i18n.js";

const NB = "\u00a0";
let zone = "UTC";
export const setTimeZone = (name) => { zone = name; };
export const timeZone = () => zone;

/** Making one takes longer than writing a number with it: each is made once. */
const numbers = new Map();
function numberFormat(options) {
  const key = currentLanguage() + JSON.stringify(options);
  if (!numbers.has(key)) numbers.set(key, new Intl.NumberFormat(currentLanguage(), options));
  return numbers.get(key);
}

export const number = (value, digits = 0) => numberFormat({ minimumFractionDigits: 0, maximumFractionDigits: digits }).format(value);

const fixed = (value, digits) => numberFormat({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

export const percent = (fraction, digits = 0) => numberFormat({ style: "percent", maximumFractionDigits: digits }).format(fraction);

/** Three significant digits at most: a measure is seldom known better. */
const figures = (value) => number(value, Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0);

/** A span of time in its two largest units; under ten seconds, to the tenth. */
export function span(seconds) {
  if (seconds < 9.95) return `${number(seconds, 1)}${NB}s`;
  const whole = Math.round(seconds);
  const parts = [[Math.floor(whole / 86_400), currentLanguage() === "fr" ? "j" : "d"], [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  const first = parts.findIndex(([value]) => value > 0);
  return parts.slice(first, first + 2).filter(([value]) => value > 0).map(([value, unit]) => `${value}${NB}${unit}`).join(" ");
}

export function metres(value) {
  if (value >= 10_000) return `${number(value / 1000, 0)}${NB}km`;
  if (value >= 1000) return `${number(value / 1000, 1)}${NB}km`;
  return `${number(value, value < 20 ? 1 : 0)}${NB}m`;
}

/** A quantity by the unit that its name ends in, as the contract names it. */
export function quantity(name, value) {
  if (value === null || value === undefined) return t("card.unknown");
  if (name === "confidence" && value > 0.99) return `>${NB}${percent(0.99)}`;
  if (name === "confidence" || name.endsWith("_fraction")) return percent(value);
  if (name === "score") return number(value, 2);
  if (name.endsWith("_p_m2")) return `${figures(value)}${NB}/m²`;
  if (name.endsWith("_m_s")) return `${figures(value)}${NB}m/s`;
  if (name.endsWith("_m2")) return `${figures(value)}${NB}m²`;
  if (name.endsWith("_m")) return metres(value);
  if (name.endsWith("_db")) return `${fixed(value, 1)}${NB}dB`;
  if (name.endsWith("_ms")) return `${figures(value)}${NB}ms`;
  if (name.endsWith("_per_s")) return `${figures(value)}${NB}/s`;
  if (name.endsWith("_s")) return span(value);
  if (name.endsWith("_deg")) return `${number(value, 0)}°`;
  return typeof value === "number" ? figures(value) : String(value);
}

const formats = new Map();
function format(kind, options) {
  const key = `${currentLanguage()} ${zone} ${kind}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(currentLanguage() === "en" ? "en-GB" : "fr-FR", { timeZone: zone, ...options }));
  return formats.get(key);
}

export const clock = (time) => format("clock", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(time);
export const day = (time) => format("day", { weekday: "short", day: "numeric", month: "short" }).format(time);
const dayKey = (time) => format("key", { year: "numeric", month: "2-digit", day: "2-digit" }).format(time);
export const longDay = (text) => new Intl.DateTimeFormat(currentLanguage() === "en" ? "en-GB" : "fr-FR", { timeZone: "UTC", dateStyle: "long" }).format(new Date(text));

/** A time at the site as a field of date and time has it, to the minute. */
export function toField(time) {
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" })
    .formatToParts(time).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

/** The time that a field of date and time means at the site, wherever the reader's computer is; of an hour that comes twice, the first. */
export function fromField(text) {
  const wanted = Date.parse(`${text}Z`);
  const off = (guess) => Date.parse(`${toField(new Date(guess))}Z`) - guess;
  const first = wanted - off(wanted - 86_400_000);
  return new Date(first + off(first) === wanted ? first : wanted - off(wanted));
}

/** The clock, and the day where it is not today. */
export function moment(time, now = new Date()) {
  return dayKey(time) === dayKey(now) ? clock(time) : `${day(time)} ${clock(time)}`;
}

export function ago(time, now = new Date()) {
  const seconds = Math.max(0, (now - time) / 1000);
  if (seconds < 5) return t("when.now");
  const rounded = seconds < 60 ? Math.round(seconds / 5) * 5 : Math.round(seconds / 60) * 60;
  return t("when.ago", { span: span(rounded) });
}
