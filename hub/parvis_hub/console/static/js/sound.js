// A sound for what is new, for whoever does not look at the page just then. It is made here, of two tones; it is off until somebody switches it on.

import { $, fill, setText } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { icon } from "./icons.js";

const KEY = "parvis.sound";
/** Many at once are one sound: an alarm that does not stop is switched off. */
const APART_MS = 5_000;
/** Frequencies, Hz: up for an incident that waits for a decision, down when the hub is lost. */
const TONES = { incident: [660, 880], lost: [440, 294] };
const LONG_S = 0.18;

let player = null;
let last_ms = 0;

const on = () => localStorage.getItem(KEY) === "on";

export function startSound() {
  $("#sound").addEventListener("click", switchSound);
  onLanguage(draw);
  // A browser plays nothing until somebody has pressed something in the page.
  for (const press of ["pointerdown", "keydown"]) addEventListener(press, () => on() && player?.state !== "running" && wake(), { capture: true });
  if (on()) wake();
  draw();
}

export function switchSound() {
  localStorage.setItem(KEY, on() ? "off" : "on");
  if (on()) wake().then(() => play("incident"));
  draw();
}

function wake() {
  if (player === null) {
    player = new AudioContext();
    player.addEventListener("statechange", draw);
  }
  // Without a press it is refused, and comes with the first.
  return player.resume().catch(() => {});
}

/** @param {"incident"|"lost"} what */
export function ring(what) {
  if (!on() || Date.now() - last_ms < APART_MS) return;
  last_ms = Date.now();
  play(what);
}

function play(what) {
  if (player?.state !== "running") return;
  TONES[what].forEach((frequency, index) => {
    const [tone, volume] = [player.createOscillator(), player.createGain()];
    const begin_s = player.currentTime + index * LONG_S;
    tone.frequency.value = frequency;
    // Up and down softly: a tone that is cut off clicks.
    volume.gain.setValueAtTime(0, begin_s);
    volume.gain.linearRampToValueAtTime(0.25, begin_s + 0.02);
    volume.gain.linearRampToValueAtTime(0, begin_s + LONG_S);
    tone.connect(volume).connect(player.destination);
    tone.start(begin_s);
    tone.stop(begin_s + LONG_S);
  });
}

function draw() {
  const button = $("#sound");
  const waits = on() && player?.state !== "running";
  const words = t(!on() ? "sound.off" : waits ? "sound.waits" : "sound.on");
  fill(button, icon(on() ? "sound" : "silent", 18));
  button.toggleAttribute("data-waits", waits);
  button.setAttribute("aria-pressed", String(on()));
  button.setAttribute("aria-label", t("sound.title"));
  button.title = words;
  setText($("#sound-words"), waits ? words : "");
}
