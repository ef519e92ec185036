// The signs: one for each type of incident, one shape for each state of a unit, one mark for each verdict. None relies on colour.

import { h } from "./dom.js";

const TYPES = {
  "object.unattended": "M5 9h14l1 11H4zM9 9V7a3 3 0 0 1 6 0v2",
  "furniture.changed": "M4 8h16M4 13h16M6.5 13v6M17.5 13v6M6.5 5v8M17.5 5v8",
  "surface.marked": "M4 4.5h16v15H4zM7.5 15c1-6 3-6 4-1.5s3.5 2.5 5-4",
  "crowd.density": "M6.5 7a2 2 0 1 0 .01 0M17.5 7a2 2 0 1 0 .01 0M12 4a2.4 2.4 0 1 0 .01 0M2.5 19c.3-3.6 1.7-5.3 4-5.3M21.5 19c-.3-3.6-1.7-5.3-4-5.3M7 20c.3-5.3 2-8 5-8s4.7 2.7 5 8",
  "crowd.surge": "M10 10 5 5M5 9V5h4M14 10l5-5M15 5h4v4M14 14l5 5M19 15v4h-4M10 14l-5 5M5 15v4h4",
  "person.on_ground": "M3 19.5h18M4.5 11.5a1.9 1.9 0 1 0 .01 0M9 15h6.5l5.5 1.5M10 15l4-3.5",
  "zone.intrusion": "M12 4a8 8 0 1 0 .01 0M7.5 12h9",
  "traffic.wrong_way": "M8 20V5M4.5 8.5 8 5l3.5 3.5M16 4v15M12.5 15.5 16 19l3.5-3.5",
  "level.unusual": "M4 4.5V20h16M7 15.5l3-1.5 2.5 1 2.5-9 3 8.5",
  "sound.impulse": "M12 3v5M12 16v5M3 12h5M16 12h5M5.6 5.6l3.4 3.4M15 15l3.4 3.4M18.4 5.6 15 9M9 15l-3.4 3.4",
  "sound.alarm": "M6.5 17v-6a5.5 5.5 0 0 1 11 0v6M4 17h16M10.5 20.5h3",
  "sound.level": "M4 10v4h3l4 4V6l-4 4zM14.5 9.2a4 4 0 0 1 0 5.6M17 6.5a8 8 0 0 1 0 11",
  "unit.tampered": "M3.5 8h10.5v8H3.5zM14 11l5.5-3v8L14 13M4 21 20 3",
};

const SIGNS = {
  camera: "M3.5 8h10.5v8H3.5zM14 11l5.5-3v8L14 13",
  microphone: "M12 4a2.5 2.5 0 0 0-2.5 2.5v5a2.5 2.5 0 0 0 5 0v-5A2.5 2.5 0 0 0 12 4zM6.5 11.5a5.5 5.5 0 0 0 11 0M12 17v3.5",
  confirmed: "M5 12.5l4.5 4.5L19 7.5",
  dismissed: "M6 12h12",
  unconfirmed: "M12 5.5a6.5 6.5 0 1 0 .01 0",
  sound: "M4 10v4h3l4 4V6l-4 4zM14.5 9.2a4 4 0 0 1 0 5.6M17 6.5a8 8 0 0 1 0 11",
  silent: "M4 10v4h3l4 4V6l-4 4zM15 9.5l5 5M20 9.5l-5 5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  more: "M5 11.2a.8.8 0 1 0 .01 0M12 11.2a.8.8 0 1 0 .01 0M19 11.2a.8.8 0 1 0 .01 0",
  play: "M8 5.5v13l10.5-6.5z",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  previous: "M18 6l-8.5 6 8.5 6zM6.5 6v12",
  next: "M6 6l8.5 6L6 18zM17.5 6v12",
  close: "M6 6l12 12M18 6 6 18",
  warning: "M12 4 2.5 20h19zM12 10v5M12 17.5v.01",
  place: "M12 21s6.5-6 6.5-11a6.5 6.5 0 0 0-13 0c0 5 6.5 11 6.5 11zM12 7.7a2.3 2.3 0 1 0 .01 0",
  list: "M8 6h12M8 12h12M8 18h12M4 6v.01M4 12v.01M4 18v.01",
  map: "M3.5 6.5 9 4l6 2.5L20.5 4v13.5L15 20l-6-2.5L3.5 20zM9 4v13.5M15 6.5V20",
  units: "M12 10.5a1.5 1.5 0 1 0 .01 0M12 14v7M7.5 16.5a6.3 6.3 0 0 1 0-9M16.5 16.5a6.3 6.3 0 0 0 0-9M4.7 19.3a10.3 10.3 0 0 1 0-14.6M19.3 19.3a10.3 10.3 0 0 0 0-14.6",
};

/** Signs grow with the page's type: a wall is read from afar. 15 px is the type's size on a desk. */
const rem = (size) => `${size / 15}rem`;

/** A line drawing 24 by 24, for the eye only: what it means stands beside it in words. */
export function icon(name, size = 20) {
  return h("svg", { viewBox: "0 0 24 24", width: rem(size), height: rem(size), class: "icon", "aria-hidden": "true", focusable: "false" },
    h("path", { d: TYPES[name] ?? SIGNS[name] }));
}

export const HEALTHS = ["alive", "degraded", "failed", "silent", "lost", "starting", "stopped", "never"];

/** The shape of a unit's state: a disc, a triangle, a square, a ring; what is inside differs too. */
export function unitSign(health, size = 22) {
  const inside = {
    alive: [h("circle", { cx: 12, cy: 12, r: 8, class: "solid" })],
    degraded: [h("path", { d: "M12 3.5 22 20.5H2z", class: "solid" }), h("path", { d: "M12 10v4.5M12 17.3v.01", class: "on-solid" })],
    failed: [h("rect", { x: 4, y: 4, width: 16, height: 16, rx: 2, class: "solid" }), h("path", { d: "M8.5 8.5l7 7M15.5 8.5l-7 7", class: "on-solid" })],
    silent: [h("circle", { cx: 12, cy: 12, r: 8, class: "hollow" }), h("path", { d: "M7.5 12h9", class: "line" })],
    lost: [h("circle", { cx: 12, cy: 12, r: 8, class: "hollow" }), h("path", { d: "M8.5 8.5l7 7M15.5 8.5l-7 7", class: "line" })],
    starting: [h("circle", { cx: 12, cy: 12, r: 8, class: "hollow" }), h("circle", { cx: 12, cy: 12, r: 2.5, class: "solid" })],
    stopped: [h("rect", { x: 5, y: 5, width: 14, height: 14, rx: 1.5, class: "hollow" })],
    never: [h("circle", { cx: 12, cy: 12, r: 8, class: "hollow dashed" })],
  }[health];
  return h("svg", { viewBox: "0 0 24 24", width: rem(size), height: rem(size), class: `unit-sign is-${health}`, "aria-hidden": "true", focusable: "false" }, inside);
}
