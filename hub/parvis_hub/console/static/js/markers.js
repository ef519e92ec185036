// Units and incidents on the map, as elements of the page: they take the page's colours and are found by a screen reader.

import { fill, h } from "./dom.js";
import { moment } from "./format.js";
import { t } from "./i18n.js";
import { icon, unitSign } from "./icons.js";
import { health, listed, now, state } from "./state.js";
import { healthName, typeName } from "./words.js";

/** Incidents nearer to one another than `near_px` on the screen share one flag; `signs` fit in it, the rest is a number. */
const ROOM = { near_px: 34, signs: 4 };
/** Where so many are in view that flags would hide the map and one another. */
const CROWDED = { near_px: 80, signs: 1, from: 50 };

/** Where units stand closer to one another than this, on average, each is a sign alone: names and views would cover them all. */
const UNITS_APART_PX = 70;

/** The incidents that the map shows: what goes on or waits for a decision, and what is selected. */
export const onMap = () =>
  listed("all").filter(({ incident }) => incident.incident === state.selected || (incident.operator.verdict !== "dismissed"
    && (incident.state === "open" || incident.operator.verdict === "unconfirmed")));

/** On which side of a unit its name stands: not where its camera looks, and not above, where incidents are. */
function side(unit) {
  if (!unit.senses.includes("camera") || unit.heading_deg < 45 || unit.heading_deg > 315) return "below";
  return unit.heading_deg < 180 ? "left" : "right";
}

export class Markers {
  #map;
  #Marker;
  #choose;
  #units = new Map();
  #flags = [];
  #seen = new Set();
  #drawn = "";
  #crowded = false;

  constructor(map, Marker, choose) {
    this.#map = map;
    this.#Marker = Marker;
    this.#choose = choose;
  }

  units() {
    for (const unit of state.units.values()) {
      // How a unit was then is not kept.
      const how = state.past === null ? health(unit) : "never";
      const label = state.past === null ? t("unit.label", { unit: unit.name, state: healthName(unit) }) : unit.name;
      const known = this.#units.get(unit.name);
      const key = `${how} ${label}`;
      if (known?.key === key) continue;
      const element = known?.element ?? h("div", { class: "unit-marker", role: "img" });
      fill(element,
        unit.senses.includes("camera") && h("svg", { viewBox: "-30 -30 60 60", width: 60, height: 60, class: "wedge", "aria-hidden": "true" },
          h("path", { d: "M0 0-11-27A29 29 0 0 1 11-27z", transform: `rotate(${unit.heading_deg})` })),
        unitSign(how, 18), h("span", { class: "unit-marker-name", "data-side": side(unit), text: unit.name }));
      element.setAttribute("aria-label", label);
      element.title = label;
      element.dataset.health = how;
      if (!known) new this.#Marker({ element }).setLngLat([unit.position.lon, unit.position.lat]).addTo(this.#map);
      this.#units.set(unit.name, { element, key });
    }
  }

  /** Whether so many units are in view that each is a sign alone. */
  get crowded() {
    return this.#crowded;
  }

  /** Shows less of each unit where many are in view. @returns {boolean} Whether that has changed. */
  crowd() {
    const { clientWidth: width, clientHeight: height } = this.#map.getContainer();
    const bounds = this.#map.getBounds();
    const inView = [...state.units.values()].filter(({ position }) => bounds.contains([position.lon, position.lat])).length;
    const crowded = Math.sqrt((width * height) / Math.max(inView, 1)) < UNITS_APART_PX;
    if (crowded === this.#crowded) return false;
    this.#crowded = crowded;
    this.#map.getContainer().toggleAttribute("data-crowded", crowded);
    return true;
  }

  /** Puts incidents that would cover one another into one flag. */
  incidents() {
    const groups = [];
    const { clientWidth: width, clientHeight: height } = this.#map.getContainer();
    const placed = onMap().map((view) => {
      const { lon, lat } = view.incident.position;
      return { view, lon, lat, at: this.#map.project([lon, lat]) };
    });
    const inView = placed.filter(({ at }) => at.x >= 0 && at.y >= 0 && at.x <= width && at.y <= height).length;
    const { near_px, signs } = inView >= CROWDED.from ? CROWDED : ROOM;
    // The selected one first: its flag stands where it is.
    placed.sort((a, b) => (b.view.incident.incident === state.selected) - (a.view.incident.incident === state.selected));
    for (const { view, lon, lat, at } of placed) {
      const group = groups.find((each) => Math.hypot(each.at.x - at.x, each.at.y - at.y) < near_px);
      if (group) group.views.push(view);
      else groups.push({ at, lngLat: [lon, lat], views: [view] });
    }
    const key = JSON.stringify([document.documentElement.lang, state.selected, signs,
      groups.map(({ lngLat, views }) => [lngLat, views.map(({ incident }) => [incident.incident, incident.state, incident.operator.verdict])])]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    for (const flag of this.#flags) flag.remove();
    this.#flags = groups.map((group) => new this.#Marker({ element: this.#flag(group, signs), anchor: "bottom", offset: [0, -12] }).setLngLat(group.lngLat).addTo(this.#map));
    for (const { views } of groups) for (const { incident } of views) this.#seen.add(incident.incident);
  }

  #flag({ views, lngLat }, signs) {
    const shown = views.length > signs ? views.slice(0, Math.max(1, signs - 1)) : views;
    const rest = views.length - shown.length;
    // What is new comes softly; what has only been grouped anew stands where it stands.
    const fresh = views.some(({ incident }) => !this.#seen.has(incident.incident));
    return h("div", { class: fresh ? "flag arriving" : "flag", "data-selected": String(views.some(({ incident }) => incident.incident === state.selected)) },
      shown.map(({ incident }) => {
        const label = t("map.incident", { type: typeName(incident.type), time: moment(new Date(incident.first_observed), now()), verdict: t(`verdict.${incident.operator.verdict}`) });
        return h("button", { type: "button", class: "flag-sign", tabindex: "-1", "data-incident": incident.incident, "data-verdict": incident.operator.verdict, "data-state": incident.state,
          "aria-label": label, title: label, "aria-current": incident.incident === state.selected ? "true" : null,
          on: { click: () => this.#choose(incident.incident) } }, icon(incident.type, 20),
        incident.operator.verdict !== "unconfirmed" && h("span", { class: "flag-mark" }, icon(incident.operator.verdict, 10)));
      }),
      rest > 0 && h("button", { type: "button", class: "flag-more", tabindex: "-1", "aria-label": t("map.more", { count: rest }), title: t("map.more", { count: rest }),
        on: { click: () => this.#open(views, lngLat, shown.length) }, text: `+${rest}` }));
  }

  /** Comes nearer where that parts them; else goes through them one after another. */
  #open(views, lngLat, shown) {
    const apart = views.some(({ incident }) => Math.abs(incident.position.lon - lngLat[0]) > 1e-6 || Math.abs(incident.position.lat - lngLat[1]) > 1e-6);
    if (apart && this.#map.getZoom() < this.#map.getMaxZoom() - 0.5) this.#map.easeTo({ center: lngLat, zoom: this.#map.getZoom() + 2 });
    else this.#choose(views[shown].incident.incident);
  }
}
