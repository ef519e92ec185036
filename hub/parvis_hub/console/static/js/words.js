// An incident and a unit in words: what is said, where, how far off, and why a unit is as it is.

import { bearing_deg, axis, compass, distance_m } from "./geometry.js";
import { metres, number, percent, quantity } from "./format.js";
import { t } from "./i18n.js";
import { health, namedPlace, state, zonesOf } from "./state.js";

export const typeName = (type) => t(`type.${type}`);

/** Fields of a measure that are of a closed list; each list has its words under the field's name. */
const LISTED = ["change", "object_class", "sound_class", "cause", "quantity"];

/** One measured value in words; names of zones, lanes and assets stay as the site plan has them. */
export function value(name, measure) {
  const raw = measure[name];
  if (raw === null || raw === undefined) return t("card.unknown");
  if (LISTED.includes(name)) return t(`${name}.${raw}`);
  if (name === "observed" || name === "expected") return quantity(measure.quantity === "laeq_db" ? "laeq_db" : "count", raw);
  if (name === "count") return number(raw);
  return quantity(name, raw);
}

function values(incident) {
  const { measure } = incident;
  const words = Object.fromEntries(Object.keys(measure).map((name) => [name, value(name, measure)]));
  words.units = incident.units.join(", ");
  if ("los" in measure && measure.los) words.los_words = t(`los.${measure.los}`);
  if ("divergence_per_s" in measure) {
    const turn = measure.divergence_per_s;
    words.divergence_words = t(turn > 0.05 ? "divergence.apart" : turn < -0.05 ? "divergence.together" : "divergence.along");
  }
  return words;
}

const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** What the incident says, in a few sentences. */
export function says(incident) {
  const { type, measure } = incident;
  const words = values(incident);
  const known = (name) => measure[name] !== null && measure[name] !== undefined;
  const more = (suffix, ...names) => (names.every(known) ? [t(`says.${type}.${suffix}`, words)] : []);
  const first = {
    "crowd.density": known("density_p_m2") ? "says.crowd.density.p" : "says.crowd.density",
    "crowd.surge": known("speed_m_s") && known("baseline_speed_m_s") ? "says.crowd.surge.speed" : "says.crowd.surge",
  }[type] ?? `says.${type}`;
  const rest = {
    "object.unattended": () => [...more("near", "nearest_person_m"), ...more("area", "area_m2")],
    "surface.marked": () => more("area", "changed_area_m2"),
    "crowd.density": () => more("los", "los"),
    "traffic.wrong_way": () => more("speed", "speed_m_s"),
  }[type]?.() ?? [];
  return [t(first, words), ...rest].map(upper).join(" ");
}

/** The gist, for a line of the list. */
export function brief(incident) {
  const { type, measure } = incident;
  if (type === "crowd.density" && measure.density_p_m2 === null) return upper(t("says.crowd.density", values(incident)));
  return upper(t(`brief.${type}`, values(incident)));
}

function nearestUnit(incident) {
  const near = incident.units.map((name) => state.units.get(name)).filter(Boolean)
    .map((unit) => ({ unit, away_m: distance_m(unit.position, incident.position) }));
  return near.sort((a, b) => a.away_m - b.away_m)[0] ?? null;
}

/** Where, in a few words: a zone, or a unit and the way from it. */
export function place(incident) {
  return namedPlace(incident) ?? (zonesOf(incident).join(", ") || fromUnit(incident));
}

function fromUnit(incident) {
  const nearest = nearestUnit(incident);
  if (nearest === null) return incident.units.join(", ");
  if (incident.located_by === "unit") return t("where.around_unit", { unit: nearest.unit.name });
  if (nearest.away_m < 1) return t("where.at_unit", { unit: nearest.unit.name });
  return t("where.from_unit", {
    distance: metres(nearest.away_m),
    direction: t(`direction.${compass(bearing_deg(nearest.unit.position, incident.position))}`),
    unit: nearest.unit.name,
  });
}

/** Where, in full: the zone, the way from the nearest unit, how far it may be off, and how that is known. */
export function whereInFull(incident) {
  const { position } = incident;
  const lines = [];
  const zones = zonesOf(incident);
  if (zones.length > 0) lines.push(t("where.in_zone", { zones: zones.join(", ") }));
  lines.push(fromUnit(incident));
  if (incident.located_by === "unit") {
    const unit = nearestUnit(incident)?.unit.name ?? incident.units[0];
    const how = incident.type === "sound.level" ? "where.measured_at" : incident.type.startsWith("sound.") ? "where.hearing" : "where.range";
    lines.push(t(how, { unit, radius: metres(position.uncertainty_m) }));
  } else if (position.ellipse) {
    const { semi_major_m, semi_minor_m, bearing_deg: along } = position.ellipse;
    lines.push(t("where.ellipse", { major: metres(semi_major_m), minor: metres(semi_minor_m), bearing: t(`direction.long.${axis(along)}`) }));
  } else lines.push(t("where.within", { radius: metres(position.uncertainty_m) }));
  lines.push(t(`located_by.${incident.located_by}`));
  return lines.map(upper);
}

export const coordinates = ({ lon, lat }) =>
  t("where.coordinates", {
    lat: `${number(Math.abs(lat), 5)}° ${lat < 0 ? "S" : "N"}`,
    lon: `${number(Math.abs(lon), 5)}° ${lon < 0 ? t("direction.letter.w") : t("direction.letter.e")}`,
  });

/** The measure against its threshold: what was observed, the limit, and how far apart they are. */
export function criterionWords(criterion, incident) {
  const { quantity: name, observed, limit, source } = criterion;
  const difference = observed - limit;
  const usual = ["expected", "baseline"].includes(source);
  const unit = name === "observed" && incident.measure.quantity === "laeq_db" ? "laeq_db" : name;
  const margin = Math.abs(difference) < 1e-9 ? "at" : difference > 0 ? "over" : "under";
  return {
    name: t(`measure.${name}`),
    observed: quantity(unit, observed),
    against: t(usual ? "criterion.usual" : "criterion.threshold"),
    limit: quantity(unit, limit),
    margin: t(`criterion.${usual ? "usual" : "threshold"}.${margin}`, { difference: gap(unit, Math.abs(difference)) }),
    source: t(`criterion.source.${source}`),
    place: criterion.zone ? t("criterion.zone", { zone: criterion.zone }) : "",
    step: criterion.step ? t("criterion.step", { step: criterion.step, count: criterion.steps }) : "",
  };
}

/** A difference of two shares is in points, not in per cent. */
const gap = (name, amount) => (name === "confidence" ? `${number(amount * 100)}\u00a0points` : quantity(name, amount));

/** Why a unit is as it is: the whole first, then each sense that is not well. @returns {{code: string, who: ?string, why: string, todo: string}[]} */
export function reasons(unit) {
  const list = [];
  const add = (who, code) => list.push({ who, code, why: code ? t(`reason.${code}`) : null, todo: code ? t(`advice.${code}`) : null });
  // What a unit said of itself before it fell silent is no news; that it is silent is.
  if (unit.reason && health(unit) !== "silent") add(null, unit.reason);
  if (["lost", "silent", "stopped"].includes(health(unit))) return list;
  for (const sense of ["camera", "microphone"]) {
    const status = unit[sense];
    if (!status || status.state === "healthy" || (status.reason !== null && status.reason === unit.reason)) continue;
    add(t("unit.sense_state", { sense: upper(t(`unit.${sense}`)), state: t(`stream.${status.state}`) }), status.reason);
  }
  return list;
}

export const healthName = (unit) => t(`health.${health(unit)}`);
export const healthWhy = (unit) => t(`health.${health(unit)}.why`);

/** Nothing is certain: what would round to all or to nothing is said to be over or under. */
export function confidenceWords(confidence) {
  if (confidence > 0.99) return { title: t("certainty.confidence.over", { percent: percent(0.99) }), meaning: t("certainty.meaning.over") };
  return { title: t("certainty.confidence", { percent: percent(confidence) }), meaning: t("certainty.meaning", { count: number(confidence * 100) }) };
}


