// The map's ground: the site's own plan, and nothing from another address. Colours are those of the page, day or night.

const EMPTY = { type: "FeatureCollection", features: [] };

/** What a zone is for shows in its line. */
const LINES = { watched: {}, crowd: { "line-dasharray": [5, 2.5] }, walked: { "line-dasharray": [1, 1.6] } };

/** The page's colours, read from its style sheet. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--map-${name}`).trim();
  return Object.fromEntries(["ground", "ink", "halo", "zone", "zone-line", "closed", "closed-line", "lane", "lane-ink", "walkway", "asset", "range", "route", "uncertain", "selected"]
    .map((name) => [name.replace("-", "_"), read(name)]));
}

/** A style of MapLibre for a site. @param {object} basemap GeoJSON with `layer`, `kind` and `name`. @param {object} colours */
export function mapStyle(basemap, colours) {
  const zone = ["==", ["get", "layer"], "zone"];
  const closed = ["==", ["get", "kind"], "closed"];
  const lane = ["==", ["get", "layer"], "lane"];
  // Signs and names grow with the page's type, 15 px on a desk.
  const scale = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 15;
  const text = (size) => ({ "text-font": ["Inter"], "text-size": size * scale, "text-padding": 4, "text-max-width": 9 });
  const ink = { "text-color": colours.ink, "text-halo-color": colours.halo, "text-halo-width": 1.6 };
  return {
    version: 8,
    sources: {
      site: { type: "geojson", data: basemap },
      ranges: { type: "geojson", data: EMPTY },
      uncertain: { type: "geojson", data: EMPTY },
      course: { type: "geojson", data: EMPTY },
      route: { type: "geojson", data: EMPTY },
    },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": colours.ground } },
      { id: "ranges", type: "fill", source: "ranges", paint: { "fill-color": colours.range, "fill-opacity": 0.035 } },
      { id: "ranges-line", type: "line", source: "ranges", paint: { "line-color": colours.range, "line-opacity": 0.45, "line-width": 1, "line-dasharray": [2, 4] } },
      { id: "zones", type: "fill", source: "site", filter: ["all", zone, ["!", closed]], paint: { "fill-color": colours.zone, "fill-opacity": 0.55 } },
      ...Object.entries(LINES).map(([kind, dashes]) => ({ id: `zones-${kind}`, type: "line", source: "site", filter: ["all", zone, ["==", ["get", "kind"], kind]], paint: { "line-color": colours.zone_line, "line-width": 1.5, ...dashes } })),
      { id: "lanes", type: "fill", source: "site", filter: lane, paint: { "fill-color": colours.lane } },
      { id: "closed", type: "fill", source: "site", filter: ["all", zone, closed], paint: { "fill-color": colours.closed, "fill-opacity": 0.7 } },
      { id: "closed-hatch", type: "fill", source: "site", filter: ["all", zone, closed], paint: { "fill-pattern": "hatch" } },
      { id: "closed-line", type: "line", source: "site", filter: ["all", zone, closed], paint: { "line-color": colours.closed_line, "line-width": 1.4, "line-dasharray": [4, 2] } },
      { id: "walkways", type: "line", source: "site", filter: ["==", ["get", "layer"], "walkway"], layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": colours.walkway, "line-width": 3, "line-dasharray": [0, 2] } },
      { id: "assets", type: "circle", source: "site", filter: ["==", ["get", "layer"], "asset"], paint: { "circle-radius": 3.5, "circle-color": colours.ground, "circle-stroke-color": colours.asset, "circle-stroke-width": 1.5 } },
      { id: "arrows", type: "symbol", source: "site", filter: ["==", ["get", "layer"], "lane-arrow"], layout: { "icon-image": "arrow", "icon-rotate": ["get", "bearing_deg"], "icon-rotation-alignment": "map", "icon-padding": 5, "icon-size": 0.42 * scale }, paint: { "icon-color": colours.lane_ink } },
      { id: "route-halo", type: "line", source: "route", layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": colours.halo, "line-width": 8 } },
      { id: "route", type: "line", source: "route", filter: ["get", "observed"], layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": colours.route, "line-width": 4.5 } },
      // What nobody saw is drawn as what it is: short strokes with as much left out.
      { id: "route-gap", type: "line", source: "route", filter: ["!", ["get", "observed"]], paint: { "line-color": colours.route, "line-width": 2.5, "line-dasharray": [3, 3] } },
      { id: "uncertain", type: "fill", source: "uncertain", paint: { "fill-color": colours.uncertain, "fill-opacity": ["case", ["get", "range"], 0.09, ["get", "selected"], 0.2, 0.08] } },
      { id: "uncertain-line", type: "line", source: "uncertain", filter: ["!", ["get", "range"]], paint: { "line-color": colours.uncertain, "line-width": ["case", ["get", "selected"], 2, 1] } },
      { id: "uncertain-range", type: "line", source: "uncertain", filter: ["get", "range"], paint: { "line-color": colours.uncertain, "line-width": ["case", ["get", "selected"], 2, 1], "line-dasharray": [3, 2] } },
      { id: "course", type: "line", source: "course", layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": colours.uncertain, "line-width": 2.5, "line-opacity": 0.8 } },
      { id: "course-points", type: "circle", source: "course", paint: { "circle-radius": 3, "circle-color": colours.ground, "circle-stroke-color": colours.uncertain, "circle-stroke-width": 1.5 } },
      { id: "zone-names", type: "symbol", source: "site", filter: zone, minzoom: 15, layout: { "text-field": ["get", "name"], ...text(12) }, paint: ink },
      { id: "lane-names", type: "symbol", source: "site", filter: ["==", ["get", "layer"], "lane-name"], minzoom: 16, layout: { "text-field": ["get", "name"], ...text(11) }, paint: ink },
      { id: "asset-names", type: "symbol", source: "site", filter: ["==", ["get", "layer"], "asset"], minzoom: 18, layout: { "text-field": ["get", "name"], "text-anchor": "top", "text-offset": [0, 0.6], ...text(11) }, paint: ink },
    ],
  };
}

/** Draws what the style refers to by name: the arrow of a lane, and the hatching of a closed zone. */
export function addPictures(map, colours) {
  const draw = (size, paint) => {
    const canvas = new OffscreenCanvas(size, size);
    const context = canvas.getContext("2d");
    paint(context);
    return context.getImageData(0, 0, size, size);
  };
  const put = (name, image, options) => {
    if (map.hasImage(name)) map.removeImage(name);
    map.addImage(name, image, options);
  };
  put("arrow", draw(48, (context) => {
    context.fillStyle = "#000";
    context.beginPath();
    for (const [x, y] of [[24, 4], [38, 24], [28, 24], [28, 44], [20, 44], [20, 24], [10, 24]]) context.lineTo(x, y);
    context.fill();
  }), { sdf: true });
  put("hatch", draw(16, (context) => {
    context.strokeStyle = colours.closed_line;
    context.globalAlpha = 0.5;
    context.lineWidth = 1.5;
    for (const start of [-16, 0, 16]) {
      context.beginPath();
      context.moveTo(start, 16);
      context.lineTo(start + 16, 0);
      context.stroke();
    }
  }), { pixelRatio: 2 });
}
