// Circles, ellipses, distances and directions on the ground, in the neighbourhood of a site.

const METRES_PER_DEGREE = 111_195; // a degree of a great circle on the mean sphere, 6,371,008.8 m
const RADIANS = Math.PI / 180;

/** Metres east and north of `from`; good to a thousandth within a few kilometres. */
export function offset(from, to) {
  return {
    east_m: (to.lon - from.lon) * METRES_PER_DEGREE * Math.cos(from.lat * RADIANS),
    north_m: (to.lat - from.lat) * METRES_PER_DEGREE,
  };
}

export function distance_m(from, to) {
  const { east_m, north_m } = offset(from, to);
  return Math.hypot(east_m, north_m);
}

/** Bearing clockwise from north, 0 to 360. */
export function bearing_deg(from, to) {
  const { east_m, north_m } = offset(from, to);
  return (Math.atan2(east_m, north_m) / RADIANS + 360) % 360;
}

const EIGHTHS = ["n", "ne", "e", "se", "s", "sw", "w", "nw"];
export const compass = (bearing) => EIGHTHS[Math.round(bearing / 45) % 8];
/** Of a line without a sense: one of the four names n, ne, e, se. */
export const axis = (bearing) => EIGHTHS[Math.round((bearing % 180) / 45) % 4];

export function move(from, east_m, north_m) {
  return [from.lon + east_m / (METRES_PER_DEGREE * Math.cos(from.lat * RADIANS)), from.lat + north_m / METRES_PER_DEGREE];
}

/** A ring of points [lon, lat] around a place: a circle, or an ellipse whose long axis has a bearing. */
export function ellipse(centre, major_m, minor_m = major_m, bearing = 0, points = 72) {
  const sin = Math.sin(bearing * RADIANS), cos = Math.cos(bearing * RADIANS);
  const ring = [];
  for (let index = 0; index <= points; index++) {
    const angle = (index % points) / points * 2 * Math.PI;
    const along = major_m * Math.cos(angle), across = minor_m * Math.sin(angle);
    ring.push(move(centre, along * sin + across * cos, along * cos - across * sin));
  }
  return ring;
}

/** Whether a point [lon, lat] lies in a ring, by the even-odd rule. */
export function inside([x, y], ring) {
  let within = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i], [xj, yj] = ring[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}
