// Keyboards without MIDI: the one on the page, and letters of the computer's.

import { clamp, HIGHEST, isBlack, LOWEST, pitchName } from "./music.js";
import { element, make } from "./page.js";
import { live } from "./studio.js";

/** Keys of the computer by their place, from C upwards. */
const LETTERS = [
  "KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ", "KeyK", "KeyO",
  "KeyL", "KeyP", "Semicolon",
];
/** Pixels of a white key. */
const WIDTH = 26;
const TYPED_VELOCITY = 84;

/** @type {Map<number, HTMLButtonElement>} */
const keys = new Map();
/** @type {Map<number, number>} the key that each pointer holds */
const held = new Map();
const place = element("keyboard", HTMLElement);
const board = make("div");
let white = 0;
for (let pitch = LOWEST; pitch <= HIGHEST; pitch++) {
  const black = isBlack(pitch);
  const key = make("button", { type: "button", class: black ? "black" : "white", "aria-label": pitchName(pitch), tabindex: pitch === 60 ? "0" : "-1" });
  key.dataset.pitch = String(pitch);
  key.style.left = `${black ? white * WIDTH - 8 : white * WIDTH}px`;
  key.style.width = `${black ? 16 : WIDTH}px`;
  if (pitch % 12 === 0) key.textContent = pitchName(pitch);
  if (!black) white++;
  keys.set(pitch, key);
  board.append(key);
}
board.style.width = `${white * WIDTH}px`;
board.style.margin = "0 auto";
place.append(board);

/** Shows a key as pressed. @param {number} pitch @param {boolean} on */
export function light(pitch, on) {
  keys.get(pitch)?.classList.toggle("down", on);
}

export const shown = () => !place.hidden;

/** Shows the keyboard, with middle C in its middle, or hides it. */
export function toggle() {
  place.hidden = !place.hidden;
  place.scrollLeft = (keys.get(60)?.offsetLeft ?? 0) - place.clientWidth / 2;
}

/** @param {EventTarget | null} target @returns {number} -1 where it is no key */
function pitchOf(target) {
  return target instanceof HTMLElement ? Number(target.dataset.pitch ?? -1) : -1;
}

/** @param {PointerEvent} event */
function press(event) {
  const key = document.elementFromPoint(event.clientX, event.clientY);
  const pitch = pitchOf(key);
  if (pitch < 0 || !(key instanceof HTMLElement) || held.get(event.pointerId) === pitch) return;
  event.preventDefault();
  if (event.target instanceof Element) event.target.releasePointerCapture?.(event.pointerId);
  lift(event.pointerId);
  held.set(event.pointerId, pitch);
  const down = (event.clientY - key.getBoundingClientRect().top) / key.offsetHeight;
  live.down(pitch, clamp(Math.round(40 + 75 * down), 1, 127));
}

/** @param {number} pointer */
function lift(pointer) {
  const pitch = held.get(pointer);
  if (pitch === undefined) return;
  held.delete(pointer);
  live.up(pitch);
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const pitch = pitchOf(event.target);
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 12, ArrowDown: -12 }[event.key];
  if (step !== undefined) {
    const key = keys.get(clamp(pitch + step, LOWEST, HIGHEST));
    for (const other of keys.values()) other.tabIndex = -1;
    if (key) key.tabIndex = 0;
    key?.focus();
  } else if ((event.key === "Enter" || event.key === " ") && !event.repeat) {
    live.down(pitch, TYPED_VELOCITY);
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

board.addEventListener("pointerdown", press);
board.addEventListener("pointermove", (event) => held.has(event.pointerId) && press(event));
for (const kind of /** @type {const} */ (["pointerup", "pointercancel"])) {
  window.addEventListener(kind, (event) => lift(event.pointerId));
}
board.addEventListener("keydown", onKey);
board.addEventListener("keyup", (event) => {
  if (event.key === "Enter" || event.key === " ") live.up(pitchOf(event.target));
});

// --- Letters of the computer's keyboard as keys: A is C, W the black key above; Z and X change the octave ----------

export let typing = false;
let base = 60;
/** @type {Map<string, number>} the pitch of each letter that is down */
const typed = new Map();

/** @param {boolean} on */
export function setTyping(on) {
  typing = on;
  lettersUp();
}

/** @param {KeyboardEvent} event @returns {boolean} whether it was one of ours */
export function letterDown(event) {
  if (!typing || event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.code === "KeyZ" || event.code === "KeyX") {
    base = clamp(base + (event.code === "KeyX" ? 12 : -12), 24, 84);
    return true;
  }
  const step = LETTERS.indexOf(event.code);
  if (step < 0) return false;
  if (!event.repeat && !typed.has(event.code)) {
    typed.set(event.code, base + step);
    live.down(base + step, event.shiftKey ? 112 : TYPED_VELOCITY);
  }
  return true;
}

/** @param {KeyboardEvent} event */
export function letterUp(event) {
  const pitch = typed.get(event.code);
  typed.delete(event.code);
  if (pitch !== undefined) live.up(pitch);
}

function lettersUp() {
  for (const pitch of typed.values()) live.up(pitch);
  typed.clear();
}

window.addEventListener("blur", lettersUp);
