// The map, where the browser can draw one. Everything on it is in the lists too.

import { $ } from "./dom.js";
import { addPictures, mapStyle, palette } from "./basemap.js";
import { ellipse } from "./geometry.js";
import { t } from "./i18n.js";
import { Markers, onMap } from "./markers.js";
import { changed, state } from "./state.js";

let map = null;
let markers = null;
let ready = false;
/** What each source holds, so that it is given nothing that it has. */
let lastShapes = {};
/** Whether the map still shows the whole site, as nobody has moved it. */
let whole = true;
let shapesDrawn = { ranges: 0, uncertain: 0, course: 0, route: 0, gaps: 0 };

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The page's policy lets no string become code; the one that may is the address of the map's own worker. */
function trustWorker() {
  const worker = new URL("../vendor/maplibre-gl/maplibre-gl-worker.mjs", import.meta.url);
  globalThis.trustedTypes?.createPolicy("default", {
    createScriptURL: (url) => (url.split("?")[0] === worker.href ? url : null),
  });
}

/** Whether this browser draws with WebGL 2, which the map needs. */
export function canDraw() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl2"));
  } catch {
    return false;
  }
}

/**
 * Starts the map. @param {(id: string) => void} choose Called when an incident's sign is pressed.
 * @returns {Promise<boolean>} false where it cannot be drawn.
 */
export async function startMap(choose) {
  if (!canDraw()) return false;
  let gl;
  try {
    trustWorker();
    gl = await import("../vendor/maplibre-gl/maplibre-gl.mjs");
    map = new gl.Map({
      container: "map",
      style: mapStyle(state.site.basemap, palette()),
      bounds: bounds(),
      fitBoundsOptions: { padding: padding() },
      maxZoom: 21,
      minZoom: 10,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      keyboard: true,
      fadeDuration: still() ? 0 : 150,
    });
  } catch (error) {
    console.warn("map", error);
    return false;
  }
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new gl.ScaleControl({ maxWidth: 110, unit: "metric" }), "bottom-right");
  // It takes the arrows and the plus and minus keys for itself, which a screen reader must be told.
  map.getCanvas().setAttribute("role", "application");
  markers = new Markers(map, gl.Marker, choose);
  addPictures(map, palette());
  map.on("load", () => {
    ready = true;
    lastShapes = {};
    renderMap();
  });
  for (const event of ["zoom", "moveend"]) {
    map.on(event, () => {
      if (markers.crowd()) renderMap();
      else markers.incidents();
    });
  }
  const shows = () => {
    const [[west, south], [east, north]] = map.getBounds().toArray();
    state.extent = { west, south, east, north };
    if (state.narrow.place !== "") changed();
  };
  map.on("moveend", shows);
  shows();
  $("#zoom-in").addEventListener("click", () => zoom(1));
  $("#zoom-out").addEventListener("click", () => zoom(-1));
  $("#fit").addEventListener("click", () => fitSite());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    const colours = palette();
    map.setStyle(mapStyle(state.site.basemap, colours));
    map.once("styledata", () => {
      addPictures(map, colours);
      lastShapes = {};
      renderMap();
    });
  });
  map.on("movestart", (event) => {
    if (event.originalEvent) whole = false;
  });
  new ResizeObserver(() => {
    map.resize();
    if (whole) fitSite({ animate: false });
  }).observe($("#map"));
  return true;
}

const padding = () => Math.min(60, Math.max(24, $("#map").clientWidth * 0.08));

/** Everything of the plan, and enough around each unit to see what is before it; whole ranges would make the middle small. */
function bounds() {
  let west = 180, south = 90, east = -180, north = -90;
  const grow = ([lon, lat]) => {
    west = Math.min(west, lon);
    east = Math.max(east, lon);
    south = Math.min(south, lat);
    north = Math.max(north, lat);
  };
  for (const unit of state.site.units) ellipse(unit.position, Math.max(15, unit.range_m * 0.4), undefined, 0, 8).forEach(grow);
  for (const { geometry } of state.site.basemap.features) {
    const points = geometry.type === "Point" ? [geometry.coordinates] : geometry.type === "Polygon" ? geometry.coordinates[0] : geometry.coordinates;
    points.forEach(grow);
  }
  return [[west, south], [east, north]];
}

export function fitSite({ animate = !still() } = {}) {
  whole = true;
  map?.fitBounds(bounds(), { padding: padding(), animate });
}

function zoom(by) {
  whole = false;
  map.zoomTo(map.getZoom() + by, { animate: !still() });
}

/** Brings a place into view, near enough to see what is around it. */
export function showPlace({ lon, lat }, radius_m = 30) {
  if (!map) return;
  const ring = ellipse({ lon, lat }, Math.max(radius_m * 1.6, 25), undefined, 0, 4);
  const fit = [[Math.min(...ring.map((p) => p[0])), Math.min(...ring.map((p) => p[1]))], [Math.max(...ring.map((p) => p[0])), Math.max(...ring.map((p) => p[1]))]];
  whole = false;
  map.fitBounds(fit, { padding: padding() + 20, maxZoom: 19.5, animate: !still() });
}

/** Brings lines of GeoJSON into view. */
export function showLines(features) {
  showAll(features.flatMap(({ geometry }) => geometry.coordinates));
}

function showAll(places) {
  if (!map || places.length === 0) return;
  const [lons, lats] = [places.map(([lon]) => lon), places.map(([, lat]) => lat)];
  whole = false;
  map.fitBounds([[Math.min(...lons), Math.min(...lats)], [Math.max(...lons), Math.max(...lats)]], { padding: padding() + 20, maxZoom: 19, animate: !still() });
}

/** Brings a zone, a lane or an asset of the plan into view. */
export function showNamed(name) {
  const places = state.site.basemap.features.filter(({ properties }) => properties.name === name)
    .flatMap(({ geometry }) => (geometry.type === "Point" ? [geometry.coordinates] : geometry.coordinates.flat(geometry.type === "Polygon" ? 1 : 0)));
  showAll(places);
}

/** Moves the map only if the place is not in view, or the incident's card lies over it. */
export function keepInView({ lon, lat }) {
  if (!map) return;
  const { width, height, right } = $("#map").getBoundingClientRect();
  const card = $("#card").getBoundingClientRect();
  const covered = card.width > 0 && card.width < width && card.left < right - 1 ? right - card.left : 0;
  const at = map.project([lon, lat]);
  if (at.x > 40 && at.y > 60 && at.x < width - covered - 80 && at.y < height - 30) return;
  whole = false;
  map.easeTo({ center: [lon, lat], offset: [-covered / 2, 0], animate: !still() });
}

/** How many areas are drawn: a map is a picture, and a picture answers no other question. */
export const drawn = () => shapesDrawn;

export function renderMap() {
  if (!map) return;
  markers.units();
  markers.crowd();
  markers.incidents();
  map.getCanvas().setAttribute("aria-label", t("map.title"));
  if (!ready) return;
  const uncertain = onMap().map(({ incident }) => {
    const { position } = incident;
    const ring = position.ellipse
      ? ellipse(position, position.ellipse.semi_major_m, position.ellipse.semi_minor_m, position.ellipse.bearing_deg)
      : ellipse(position, Math.max(position.uncertainty_m, 0.2));
    return feature(ring, { selected: incident.incident === state.selected, range: incident.located_by === "unit" });
    // A unit's whole range is drawn for the selected incident alone: ten of them would hide the map.
  }).filter(({ properties }) => !properties.range || properties.selected);
  const way = state.detail?.incident.incident === state.selected ? state.detail.course.map(({ position }) => [position.lon, position.lat]) : [];
  const course = way.length > 1 ? [{ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: way } }] : [];
  const route = state.past === null ? state.route?.way ?? [] : [];
  if (!map.getSource("ranges")) return;
  const units = markers.crowded ? [] : [...state.units.values()];
  put("ranges", units.map(({ position, range_m }) => [position, range_m]), (of) => of.map(([position, range_m]) => feature(ellipse(position, range_m), {})));
  put("uncertain", uncertain);
  put("course", course);
  put("route", route);
  shapesDrawn = { ranges: units.length, uncertain: uncertain.length, course: way.length,
    route: route.filter(({ properties }) => properties.observed).length, gaps: route.filter(({ properties }) => !properties.observed).length };
}

const feature = (ring, properties) => ({ type: "Feature", properties, geometry: { type: "Polygon", coordinates: [ring] } });

/** Gives a source what it shows, if that has changed; `draw` makes features of it then alone. */
function put(name, what, draw = (features) => features) {
  const key = JSON.stringify(what);
  if (lastShapes[name] === key) return;
  lastShapes[name] = key;
  map.getSource(name).setData({ type: "FeatureCollection", features: draw(what) });
}
