// Keyboards without MIDI: the one on the page, and letters of the computer's.

import { clamp, HIGHEST, isBlack, LOWEST, pitchName } from "./music.js";
import { make } from "./page.js";

/** Keys of the computer by their place, from C upwards. */
const LETTERS = [
  "KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ", "KeyK", "KeyO",
  "KeyL", "KeyP", "Semicolon",
];
/** Pixels of a white key. */
const WIDTH = 26;
const TYPED_VELOCITY = 84;

/** The keyboard on the page. */
export class ScreenKeyboard {
  /** @type {Map<number, HTMLButtonElement>} */
  #keys = new Map();
  /** @type {Map<number, number>} the key that each pointer holds */
  #held = new Map();

  /** @param {HTMLElement} place @param {import("./live.js").Live} live */
  constructor(place, live) {
    this.place = place;
    this.live = live;
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
      this.#keys.set(pitch, key);
      board.append(key);
    }
    board.style.width = `${white * WIDTH}px`;
    board.style.margin = "0 auto";
    place.append(board);
    board.addEventListener("pointerdown", (event) => this.#press(event));
    board.addEventListener("pointermove", (event) => {
      if (this.#held.has(event.pointerId)) this.#press(event);
    });
    for (const kind of /** @type {const} */ (["pointerup", "pointercancel"])) {
      window.addEventListener(kind, (event) => this.#lift(event.pointerId));
    }
    board.addEventListener("keydown", (event) => this.#onKey(event));
    board.addEventListener("keyup", (event) => {
      if (event.key === "Enter" || event.key === " ") this.live.up(this.#pitchOf(event.target));
    });
  }

  /** Shows a key as pressed. @param {number} pitch @param {boolean} on */
  light(pitch, on) {
    this.#keys.get(pitch)?.classList.toggle("down", on);
  }

  /** Scrolls middle C into the middle. */
  centre() {
    const key = this.#keys.get(60);
    if (key) this.place.scrollLeft = key.offsetLeft - this.place.clientWidth / 2;
  }

  /** @param {EventTarget | null} target @returns {number} -1 where it is no key */
  #pitchOf(target) {
    return target instanceof HTMLElement ? Number(target.dataset.pitch ?? -1) : -1;
  }

  /** @param {PointerEvent} event */
  #press(event) {
    const key = document.elementFromPoint(event.clientX, event.clientY);
    const pitch = this.#pitchOf(key);
    if (pitch < 0 || !(key instanceof HTMLElement) || this.#held.get(event.pointerId) === pitch) return;
    event.preventDefault();
    if (event.target instanceof Element) event.target.releasePointerCapture?.(event.pointerId);
    this.#lift(event.pointerId);
    this.#held.set(event.pointerId, pitch);
    const down = (event.clientY - key.getBoundingClientRect().top) / key.offsetHeight;
    this.live.down(pitch, clamp(Math.round(40 + 75 * down), 1, 127));
  }

  /** @param {number} pointer */
  #lift(pointer) {
    const pitch = this.#held.get(pointer);
    if (pitch === undefined) return;
    this.#held.delete(pointer);
    this.live.up(pitch);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const pitch = this.#pitchOf(event.target);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 12, ArrowDown: -12 }[event.key];
    if (step !== undefined) {
      const key = this.#keys.get(clamp(pitch + step, LOWEST, HIGHEST));
      for (const other of this.#keys.values()) other.tabIndex = -1;
      if (key) key.tabIndex = 0;
      key?.focus();
    } else if ((event.key === "Enter" || event.key === " ") && !event.repeat) {
      this.live.down(pitch, TYPED_VELOCITY);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Letters of the computer's keyboard as keys: A is C, W the black key above; Z and X change the octave. */
export class Typing {
  on = false;
  #base = 60;
  /** @type {Map<string, number>} */
  #held = new Map();

  /** @param {import("./live.js").Live} live */
  constructor(live) {
    this.live = live;
    window.addEventListener("blur", () => this.#lift());
  }

  /** @param {boolean} on */
  set(on) {
    this.on = on;
    this.#lift();
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether it was one of ours */
  down(event) {
    if (!this.on || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.code === "KeyZ" || event.code === "KeyX") {
      this.#base = clamp(this.#base + (event.code === "KeyX" ? 12 : -12), 24, 84);
      return true;
    }
    const step = LETTERS.indexOf(event.code);
    if (step < 0) return false;
    if (!event.repeat && !this.#held.has(event.code)) {
      this.#held.set(event.code, this.#base + step);
      this.live.down(this.#base + step, event.shiftKey ? 112 : TYPED_VELOCITY);
    }
    return true;
  }

  /** @param {KeyboardEvent} event */
  up(event) {
    const pitch = this.#held.get(event.code);
    if (pitch === undefined) return;
    this.#held.delete(event.code);
    this.live.up(pitch);
  }

  #lift() {
    for (const pitch of this.#held.values()) this.live.up(pitch);
    this.#held.clear();
  }
}
