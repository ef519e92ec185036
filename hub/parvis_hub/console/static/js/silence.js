// Why is it silent? An empty list means nothing until it is known who could have spoken.

import { health, reports } from "./state.js";

/**
 * @param {object} site As the hub gives it.
 * @param {object[]} units As the hub gives them.
 * @param {string} connection
 * @param {object} troubles What the hub suffers from.
 * @returns {{key: string, values: object, names?: string[]}} Key of the words, and what goes into them.
 */
export function whySilent(site, units, connection, troubles) {
  const { profile } = site;
  const dead = units.filter((unit) => !reports(unit)).map((unit) => unit.name);
  if (connection === "lost") return { key: "offline", names: [] };
  for (const deaf of ["store", "broker"]) if (deaf in troubles) return { key: deaf, names: [] };
  if (!profile.in_force) return { key: "not_in_force", names: [] };
  if (allowed(site).length === 0) return { key: "nothing_allowed", names: [] };
  if (units.every((unit) => health(unit) === "never")) return { key: "never", names: dead };
  if (units.every(forbidden)) return { key: "forbidden", names: dead };
  if (dead.length === units.length) return { key: "all_silent", names: dead };
  if (dead.length > 0) return { key: "some", names: dead };
  return { key: "quiet", names: [] };
}

const forbidden = (unit) =>
  !reports(unit) && [unit.reason, unit.camera?.reason, unit.microphone?.reason].includes("profile_forbids");

/** The event types that the profile allows to the senses that the site's units have. */
export function allowed(site) {
  const senses = new Set(site.units.flatMap((unit) => unit.senses));
  return site.event_types.filter((type) => type.senses.some((sense) => senses.has(sense) && site.profile.allow[sense].includes(type.name)));
}
