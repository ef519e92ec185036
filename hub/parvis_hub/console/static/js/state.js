// What the page knows, in one place; whoever shows some of it asks to be told when it changes.

import { inside } from "./geometry.js";

const listeners = new Set();
let waiting = false;

/** What is listed where nobody asked for less; `place` is "map" for what the map shows, or "at:" and a name of the site plan. */
export const ANYTHING = { type: "", unit: "", hours: "", verdict: "", place: "" };

export const state = {
  narrow: { ...ANYTHING },
  /** Which incident stands first in the list: "newest" or "oldest". */
  order: "newest",
  /** What the map shows, in degrees: { west, south, east, north }, or null where there is no map. */
  extent: null,
  site: null,
  /** Who is signed in and may do what: { required, name, role, may, csrf } */
  session: null,
  /** id → what the hub shows of it now: { incident, revision, criteria } */
  live: new Map(),
  /** The past that is looked at: { at: Date, incidents: Map } as it was then; null while it is now. */
  past: null,
  /** What is listed and on the map. */
  get incidents() {
    return this.past?.incidents ?? this.live;
  },
  /** name → unit */
  units: new Map(),
  /** Of somebody who consented, and whoever looks at it: { participant, way: lines of GeoJSON }, or null. */
  route: null,
  truncated: false,
  loaded: false,
  filter: "undecided",
  selected: null,
  /** of the selected incident: { events, models, decisions, plates … }, or null until it is read */
  detail: null,
  /** "connecting", "live" or "lost" */
  connection: "connecting",
  lostSince: null,
  /** What the hub itself suffers from, and since when; each has its words under `connection.` */
  troubles: {},
  /** The hub's clock less this computer's, in milliseconds. */
  clockOffset_ms: 0,
};

/** The hub's time: an operator's computer may be wrong by minutes. */
export const hubNow = () => new Date(Date.now() + state.clockOffset_ms);

/** The time that is looked at. */
export const now = () => state.past?.at ?? hubNow();

export const onChange = (listener) => listeners.add(listener);

/** Changes that come so close together are shown at once: a burst of fifty need not draw the page fifty times. */
const TOGETHER_MS = 40;

/** Tells everybody, once however many changes there were. */
export function changed() {
  if (waiting) return;
  waiting = true;
  setTimeout(() => {
    waiting = false;
    for (const listener of listeners) listener(state);
  }, TOGETHER_MS);
}

const undecided = (view) => view.incident.operator.verdict === "unconfirmed";

/** Whether somebody asked for less than everything. */
export const narrowing = () => Object.values(state.narrow).some((value) => value !== "");

/** The zones of the map that hold a place; a zone drawn in a picture counts where its unit is calibrated. */
function zonesAt({ lon, lat }) {
  const zones = state.site.basemap.features.filter(({ properties, geometry }) => properties.layer === "zone" && geometry.type === "Polygon");
  return [...new Set(zones.filter(({ geometry }) => inside([lon, lat], geometry.coordinates[0])).map(({ properties }) => properties.name))];
}

/** The place that an incident names itself. */
export const namedPlace = ({ measure }) => measure.zone ?? measure.lane ?? measure.asset;

/** The zones that an incident lies in, as far as it is known better than by who heard it. */
export const zonesOf = (incident) => (incident.located_by === "unit" ? [] : zonesAt(incident.position));

function isAt(incident, place) {
  if (place.startsWith("at:")) return [namedPlace(incident), ...zonesOf(incident)].includes(place.slice(3));
  const { lon, lat } = incident.position;
  const { west, south, east, north } = state.extent ?? {};
  return place === "" || state.extent === null || (west <= lon && lon <= east && south <= lat && lat <= north);
}

function within({ incident }, { type, unit, hours, verdict, place }) {
  return (type === "" || incident.type === type) && (unit === "" || incident.units.includes(unit))
    && (hours === "" || now() - new Date(incident.last_observed) <= Number(hours) * 3_600_000)
    && (verdict === "" || incident.operator.verdict === verdict)
    && isAt(incident, place);
}

/** The incidents under a filter, in the order that is asked for. */
export function listed(filter = state.filter, narrow = state.narrow) {
  const later = state.order === "newest" ? 1 : -1;
  return [...state.incidents.values()]
    .filter((view) => (filter === "all" || (filter === "undecided") === undecided(view)) && within(view, narrow))
    .sort((a, b) => later * (a.incident.first_observed < b.incident.first_observed ? 1 : a.incident.first_observed > b.incident.first_observed ? -1
      : a.incident.incident < b.incident.incident ? 1 : -1));
}

/** How a unit is, in one word; what the broker says of it, and its silence, outweigh what it last said itself. */
export function health(unit) {
  if (unit.state === "lost") return "lost";
  if (unit.state === "stopped") return "stopped";
  if (unit.last_seen === null && unit.state === null) return "never";
  if (unit.silent) return "silent";
  return { healthy: "alive", null: "alive" }[unit.state] ?? unit.state;
}

/** Those that report something now, well or not so well. */
export const reports = (unit) => ["alive", "degraded"].includes(health(unit));
