// The calibration page. It knows the line drawing and the points; what they are worth is judged by the program that serves it.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
/** @type {{px: [number, number]|null, lon: number|null, lat: number|null}[]} */
let points = [];
let chosen = -1;
let size = [1280, 720];
let plan = null;
let window_ = null; // what of the view is shown: x, y, width, height
let checks = [];
let asked = 0;
let ended = false;

function make(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

async function ask(name, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(name, options);
  return { status: response.status, data: await response.json() };
}

// --- the view ---------------------------------------------------------------------------------------------------------------

function showWindow() {
  $("view").setAttribute("viewBox", window_.join(" "));
  drawMarks();
}

function inView(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform($("view").getScreenCTM().inverse());
  return [at.x, at.y];
}

function zoom(x, y, factor) {
  const width = Math.min(size[0], Math.max(40, window_[2] * factor));
  const height = (width * size[1]) / size[0];
  const left = x - ((x - window_[0]) * width) / window_[2];
  const top = y - ((y - window_[1]) * height) / window_[3];
  window_ = [Math.min(Math.max(left, 0), size[0] - width), Math.min(Math.max(top, 0), size[1] - height), width, height];
  showWindow();
}

function mark(parent, x, y, scale, number) {
  const group = make("g", { class: "mark", "data-chosen": number === chosen }, parent);
  make("circle", { cx: x, cy: y, r: 7 * scale }, group);
  make("path", { d: `M${x - 12 * scale} ${y}h${24 * scale}M${x} ${y - 12 * scale}v${24 * scale}` }, group);
  make("text", { x: x + 10 * scale, y: y - 8 * scale, "font-size": 15 * scale }, group, number + 1);
}

function drawMarks() {
  $("marks").replaceChildren();
  const scale = window_[2] / Math.max($("view").clientWidth, 1);
  points.forEach((point, number) => point.px && mark($("marks"), point.px[0], point.px[1], scale, number));
}

function watchView() {
  const view = $("view");
  let from = null;
  view.addEventListener("pointerdown", (event) => {
    from = { at: inView(event), x: event.clientX, y: event.clientY, moved: false };
    view.setPointerCapture(event.pointerId);
  });
  view.addEventListener("pointermove", (event) => {
    if (!from) return;
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > 5) from.moved = true;
    if (!from.moved) return;
    const [x, y] = inView(event);
    window_[0] = Math.min(Math.max(window_[0] + from.at[0] - x, 0), size[0] - window_[2]);
    window_[1] = Math.min(Math.max(window_[1] + from.at[1] - y, 0), size[1] - window_[3]);
    showWindow();
  });
  view.addEventListener("pointerup", (event) => {
    if (from && !from.moved) setPx(inView(event));
    from = null;
  });
  view.addEventListener("pointercancel", () => (from = null));
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(...inView(event), event.deltaY < 0 ? 0.8 : 1.25);
  }, { passive: false });
  view.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.5, 0], ArrowRight: [0.5, 0], ArrowUp: [0, -0.5], ArrowDown: [0, 0.5] }[event.key];
    if (step && points[chosen]?.px) {
      event.preventDefault();
      points[chosen].px = [points[chosen].px[0] + step[0], points[chosen].px[1] + step[1]];
      changed();
    } else if (event.key === "+" || event.key === "-") {
      zoom(window_[0] + window_[2] / 2, window_[1] + window_[3] / 2, event.key === "+" ? 0.8 : 1.25);
    }
  });
}

function setPx([x, y]) {
  const px = [Math.round(Math.min(Math.max(x, 0), size[0]) * 10) / 10, Math.round(Math.min(Math.max(y, 0), size[1]) * 10) / 10];
  const waiting = points[chosen] && !points[chosen].px;
  if (waiting) points[chosen].px = px;
  else chosen = points.push({ px, lon: null, lat: null }) - 1;
  changed();
}

// --- the map ----------------------------------------------------------------------------------------------------------------

let wholePlan = 100; // side of what the map shows at most, in metres

const toMetres = ([lon, lat]) => [(lon - plan.origin[0]) * plan.metres_per_degree[0], (lat - plan.origin[1]) * plan.metres_per_degree[1]];

function drawPlan() {
  const ground = $("ground");
  ground.replaceChildren();
  const here = toMetres(plan.units[unitName]);
  const reach = Math.max(10, plan.range_m * 1.05);
  wholePlan = 2 * reach;
  $("plan").setAttribute("viewBox", [here[0] - reach, -here[1] - reach, 2 * reach, 2 * reach].join(" "));
  const step = reach > 60 ? 10 : reach > 20 ? 5 : 1;
  for (let at = Math.ceil(-reach / step) * step; at <= reach; at += step) {
    make("line", { class: "metres", x1: here[0] + at, x2: here[0] + at, y1: -here[1] - reach, y2: -here[1] + reach }, ground);
    make("line", { class: "metres", y1: -here[1] + at, y2: -here[1] + at, x1: here[0] - reach, x2: here[0] + reach }, ground);
  }
  const corners = (line) => line.map((each) => { const [e, n] = toMetres(each); return `${e},${-n}`; }).join(" ");
  for (const line of plan.walkways) make("polyline", { points: corners(line) }, ground);
  for (const [name, polygon] of Object.entries(plan.areas)) {
    make("polygon", { points: corners(polygon) }, ground);
    const [e, n] = toMetres(polygon[0]);
    make("text", { x: e, y: -n, "font-size": reach / 28 }, ground, name);
  }
  make("circle", { class: "range", cx: here[0], cy: -here[1], r: plan.range_m }, ground);
  for (const [name, at] of Object.entries(plan.units)) {
    const [e, n] = toMetres(at);
    const r = reach / 60;
    const turn = name === unitName ? plan.heading_deg : null;
    if (turn === null) make("circle", { class: "unit", cx: e, cy: -n, r: r / 1.6 }, ground);
    else make("path", { class: "unit", d: `M0 ${-2 * r}L${r} ${r}L${-r} ${r}Z`, transform: `translate(${e} ${-n}) rotate(${turn})` }, ground);
    make("text", { x: e + 1.5 * r, y: -n, "font-size": reach / 28 }, ground, name);
  }
  make("text", { x: here[0] - reach * 0.97, y: -here[1] - reach * 0.93, "font-size": reach / 28 }, ground, `a square is ${step} m`);
}

function drawPlaces() {
  $("places").replaceChildren();
  const scale = Number($("plan").getAttribute("viewBox").split(" ")[2]) / Math.max($("plan").clientWidth, 1);
  points.forEach((point, number) => {
    if (point.lon === null || point.lat === null) return;
    const [e, n] = toMetres([point.lon, point.lat]);
    mark($("places"), e, -n, scale, number);
  });
}

function watchPlan() {
  $("plan").addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform($("plan").getScreenCTM().inverse());
    const [left, top, width] = $("plan").getAttribute("viewBox").split(" ").map(Number);
    const wide = Math.min(Math.max(width * (event.deltaY < 0 ? 0.8 : 1.25), 4), wholePlan);
    const x = at.x - ((at.x - left) * wide) / width;
    const y = at.y - ((at.y - top) * wide) / width;
    $("plan").setAttribute("viewBox", [x, y, wide, wide].join(" "));
    drawPlaces();
  }, { passive: false });
  $("plan").addEventListener("click", (event) => {
    if (!points[chosen]) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform($("plan").getScreenCTM().inverse());
    points[chosen].lon = Number((plan.origin[0] + at.x / plan.metres_per_degree[0]).toFixed(8));
    points[chosen].lat = Number((plan.origin[1] - at.y / plan.metres_per_degree[1]).toFixed(8));
    changed();
  });
}

// --- the table --------------------------------------------------------------------------------------------------------------

// A row stays the same element as long as its point is there: what somebody is typing must not be drawn anew under their hands.
const rows = new WeakMap();

function field(row, read, write) {
  const input = document.createElement("input");
  input.inputMode = "decimal";
  input.addEventListener("change", () => {
    const text = input.value.trim().replace(",", ".");
    const number = text === "" ? null : Number(text);
    if (number === null || Number.isFinite(number)) write(number);
    else input.value = read() ?? "";
    changed();
  });
  input.addEventListener("focus", () => { const now = points.indexOf(row.point); if (now !== chosen) { chosen = now; drawMarks(); drawPlaces(); drawRows(); } });
  const cell = document.createElement("td");
  cell.append(input);
  row.element.append(cell);
  row.fields.push({ input, read });
}

function button(row, text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", () => act(points.indexOf(row.point)));
  const cell = document.createElement("td");
  cell.append(made);
  row.element.append(cell);
  return made;
}

function makeRow(point) {
  const row = { point, element: document.createElement("tr"), fields: [] };
  row.choose = button(row, "", (number) => { chosen = number; changed(); });
  const px = (which) => (value) => { point.px = point.px ?? [0, 0]; if (value !== null) point.px[which] = value; };
  field(row, () => point.px?.[0], px(0));
  field(row, () => point.px?.[1], px(1));
  field(row, () => point.lon, (value) => (point.lon = value));
  field(row, () => point.lat, (value) => (point.lat = value));
  row.off = document.createElement("td");
  row.element.append(row.off);
  row.away = button(row, "×", (number) => { points.splice(number, 1); chosen = -1; changed(); });
  return row;
}

function drawRows() {
  const wanted = points.map((point) => {
    if (!rows.has(point)) rows.set(point, makeRow(point));
    return rows.get(point);
  });
  const elements = wanted.map((row) => row.element);
  if (elements.length !== $("rows").children.length || elements.some((each, number) => each !== $("rows").children[number])) $("rows").replaceChildren(...elements);
  wanted.forEach((row, number) => {
    row.element.dataset.chosen = String(number === chosen);
    row.choose.textContent = String(number + 1);
    row.choose.setAttribute("aria-label", `choose point ${number + 1}`);
    row.away.setAttribute("aria-label", `take point ${number + 1} away`);
    row.fields.forEach(({ input, read }, which) => {
      input.setAttribute("aria-label", `${["x", "y", "longitude", "latitude"][which]} of point ${number + 1}`);
      if (input !== document.activeElement) input.value = read() ?? "";
    });
    const check = checks[complete().indexOf(row.point)];
    row.off.textContent = check ? `${(check.left_out_m ?? check.residual_m ?? Infinity).toFixed(2)} m` : "";
  });
}

const complete = () => points.filter((point) => point.px && point.lon !== null && point.lat !== null);

// --- what comes of it -------------------------------------------------------------------------------------------------------

function say(state, text) {
  $("verdict").dataset.state = state;
  $("verdict").textContent = text;
}

function list(id, texts) {
  $(id).replaceChildren(...texts.map((text) => { const item = document.createElement("li"); item.textContent = text; return item; }));
}

function facts(found) {
  const said = [];
  const metres = (value) => (value === null ? "anywhere" : `${value.toFixed(2)} m`);
  if (found.error_at_m !== null) said.push(["error (1 sigma)", `${metres(found.error_m)}, ${found.error_at_m.toFixed(0)} m from the unit`]);
  for (const zone of found.zones) {
    said.push([zone.name, zone.reason ?? [zone.area_m2 === null ? "in view" : `${zone.area_m2.toFixed(1)} m²`, zone.error_m === null ? "" : `error ${metres(zone.error_m)}`].filter(Boolean).join(", ")]);
  }
  if (found.nearest) {
    const cap = found.cap_px_per_m === null ? "no optical cap" : `the cap is ${found.cap_px_per_m}`;
    said.push(["nearest person", `${found.nearest.px_per_m.toFixed(0)} px per metre; ${cap}`]);
  }
  if (found.camera_height_m !== null) said.push(["camera", `${found.camera_height_m.toFixed(1)} m above the ground, by the points`]);
  $("facts").replaceChildren(...said.flatMap(([key, value]) => {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = key;
    text.textContent = value;
    return [term, text];
  }));
}

function show(found) {
  checks = found.checks;
  facts(found);
  list("refusals", complete().length < 4 ? [] : found.refusals);
  list("warnings", found.warnings);
  $("grid").replaceChildren();
  for (const line of found.grid ?? []) make("polyline", { points: line.map((each) => each.join(",")).join(" ") }, $("grid"));
  const horizon = found.horizon_px;
  $("horizon").toggleAttribute("hidden", !horizon);
  for (const [key, value] of Object.entries(horizon ? { x1: 0, y1: horizon[0], x2: size[0], y2: horizon[1] } : {})) $("horizon").setAttribute(key, String(value));
  $("block").hidden = !found.block;
  $("block").textContent = found.block ?? "";
  $("done").disabled = !found.good;
  if (complete().length < 4) say("few", `${complete().length} of at least four points`);
  else if (found.good) say("good", "Good enough. Does the grid lie on the ground, a metre a square?");
  else say("bad", "Not good enough: see why below");
}

async function changed() {
  drawMarks();
  drawPlaces();
  drawRows();
  const turn = ++asked;
  const sent = { points: complete() };
  try {
    const { status, data } = await ask("assess", sent);
    if (turn !== asked || ended) return;
    if (status !== 200) {
      say("bad", data.error);
      $("done").disabled = true;
    } else {
      show(data);
      drawRows();
    }
  } catch {
    if (!ended) say("bad", "The program that serves this page is gone; start it again");
  }
}

let unitName = "";

function begin(view) {
  size = view.size;
  plan = view.plan;
  unitName = view.unit;
  window_ = [0, 0, size[0], size[1]];
  $("unit").textContent = `${view.site} / ${view.unit}`;
  $("view").style.aspectRatio = `${size[0]} / ${size[1]}`;
  const lines = $("lines");
  lines.setAttribute("width", String(size[0]));
  lines.setAttribute("height", String(size[1]));
  lines.setAttribute("href", `lines.png?${Date.now()}`);
  $("privacy").textContent = view.blanked
    ? "Edges only, kept in memory. Somebody was in view and is left out; if that hides a mark, look again."
    : "Edges only, kept in memory: no picture is stored or sent.";
  drawPlan();
  showWindow();
}

async function start() {
  const { data } = await ask("view.json");
  points = data.points;
  begin(data);
  watchView();
  watchPlan();
  $("whole").addEventListener("click", () => { window_ = [0, 0, size[0], size[1]]; showWindow(); });
  $("look").addEventListener("click", async () => {
    $("look").disabled = true;
    const { status, data: answer } = await ask("look", {});
    $("look").disabled = false;
    if (status === 200) begin(answer);
    else say("bad", answer.error);
    if (status === 200) changed();
  });
  $("done").addEventListener("click", async () => {
    const { status, data: answer } = await ask("done", { points: complete() });
    if (status !== 200) { if (answer.refusals) show(answer); else say("bad", answer.error); return; }
    ended = true;
    $("done").disabled = true;
    say("good", "Done. The terminal has the result; this page can be closed.");
  });
  window.addEventListener("resize", () => { drawMarks(); drawPlaces(); });
  changed();
}

start();
