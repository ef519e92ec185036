// Words in English and French, and which of the two is spoken.

const LANGUAGES = ["en", "fr"];
const KEY = "parvis.language";
const listeners = new Set();
const dictionaries = {};
let language = "en";
let plural = new Intl.PluralRules(language);

/** What the browser's user reads, unless they have chosen here. */
function preferred() {
  const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem(KEY);
  if (LANGUAGES.includes(asked)) return asked;
  for (const tag of navigator.languages ?? [navigator.language]) {
    const short = tag.slice(0, 2).toLowerCase();
    if (LANGUAGES.includes(short)) return short;
  }
  return "en";
}

async function load(name) {
  dictionaries[name] ??= await (await fetch(`static/i18n/${name}.json`)).json();
}

export async function startWords() {
  await setLanguage(preferred(), { keep: false });
}

/** Changes the language of the whole page, and remembers it. */
export async function setLanguage(name, { keep = true } = {}) {
  await load(name);
  language = name;
  plural = new Intl.PluralRules(name);
  if (keep) localStorage.setItem(KEY, name);
  document.documentElement.lang = name;
  for (const element of document.querySelectorAll("[data-i18n]")) element.textContent = t(element.dataset.i18n);
  for (const element of document.querySelectorAll("[data-i18n-label]")) element.setAttribute("aria-label", t(element.dataset.i18nLabel));
  for (const element of document.querySelectorAll("[data-i18n-title]")) element.title = t(element.dataset.i18nTitle);
  for (const listener of listeners) listener(name);
}

export const currentLanguage = () => language;
export const onLanguage = (listener) => listeners.add(listener);
export const has = (key) => key in dictionaries[language];

/** The words of a key, with what stands in braces filled in. A key that is missing shows itself: better than nothing. */
export function t(key, values = {}) {
  const words = dictionaries[language]?.[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The words of a key for a count: `key.one`, `key.other`. */
export function tn(key, count, values = {}) {
  const form = plural.select(count) === "one" ? "one" : "other";
  return t(`${key}.${form}`, { count: new Intl.NumberFormat(language).format(count), ...values });
}
