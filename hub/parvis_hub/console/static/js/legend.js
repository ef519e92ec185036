// What the signs on the map mean.

import { $, fill, h } from "./dom.js";
import { t } from "./i18n.js";
import { HEALTHS, icon, unitSign } from "./icons.js";
import { state } from "./state.js";

const ZONES = ["watched", "closed", "walked", "crowd"];
const swatch = (kind) => h("span", { class: `swatch swatch-${kind}`, "aria-hidden": "true" });
const entry = (sign, words) => h("li", {}, sign, h("span", { text: words }));

export function legendBody() {
  const used = new Set((state.site?.basemap.features ?? []).map((feature) => feature.properties.kind ?? feature.properties.layer));
  const types = state.site?.event_types ?? [];
  return [
    h("h3", { text: t("legend.units") }),
    h("ul", { class: "signs" }, HEALTHS.map((health) => entry(unitSign(health, 16), t(`health.${health}`)))),
    h("h3", { text: t("legend.areas") }),
    h("ul", { class: "signs" },
      entry(swatch("range"), t("legend.range")), entry(swatch("heading"), t("legend.heading")), entry(swatch("uncertainty"), t("legend.uncertainty")),
      ZONES.filter((kind) => used.has(kind)).map((kind) => entry(swatch(kind), t(`zone.${kind}`))),
      used.has("lane") && entry(swatch("lane"), t("legend.lane")),
      used.has("walkway") && entry(swatch("walkway"), t("legend.walkway")),
      used.has("furniture") && entry(swatch("asset"), t("legend.asset"))),
    h("h3", { text: t("legend.incidents") }),
    h("ul", { class: "signs" }, types.map((type) => entry(icon(type.name, 16), t(`type.${type.name}`)))),
  ];
}

export function renderLegend() {
  if (state.site) fill($("#legend-body"), legendBody());
}
