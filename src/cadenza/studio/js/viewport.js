// Which part of the music is shown: ticks and pitches to pixels and back.

import { clamp, HIGHEST, LOWEST } from "./music.js";
import { Signal } from "./signal.js";

const KEYS = HIGHEST - LOWEST + 1;

export class Viewport {
  /** Tick at the left edge. */
  left = 0;
  /** Pixels from the top of the highest key to the top edge. */
  top = 0;
  /** Pixels a tick. */
  scale = 0.09;
  /** Pixels a key. */
  row = 15;
  width = 800;
  height = 500;
  /** Tick at which the music ends. */
  end = 0;
  changed = new Signal();

  /** @param {number} tick */
  x(tick) {
    return (tick - this.left) * this.scale;
  }

  /** @param {number} x */
  tick(x) {
    return this.left + x / this.scale;
  }

  /** The top of a key's row. @param {number} pitch */
  y(pitch) {
    return (HIGHEST - pitch) * this.row - this.top;
  }

  /** @param {number} y */
  pitch(y) {
    return clamp(HIGHEST - Math.floor((y + this.top) / this.row), LOWEST, HIGHEST);
  }

  /** @returns {number} tick at the right edge */
  get right() {
    return this.tick(this.width);
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    const middle = this.top + this.height / 2;
    this.width = width;
    this.height = height;
    this.#move(this.left, middle - height / 2);
  }

  /** @param {number} dx pixels @param {number} dy */
  scroll(dx, dy) {
    this.#move(this.left + dx / this.scale, this.top + dy);
  }

  /** @param {number} factor @param {number} x that stays where it is */
  zoomTime(factor, x) {
    const tick = this.tick(x);
    this.scale = clamp(this.scale * factor, 0.001, 1.5);
    this.#move(tick - x / this.scale, this.top);
  }

  /** @param {number} factor @param {number} y that stays where it is */
  zoomPitch(factor, y) {
    const place = (this.top + y) / this.row;
    this.row = clamp(this.row * factor, 6, 40);
    this.#move(this.left, place * this.row - y);
  }

  /** Shows a tick, by turning the page where it is not in sight. @param {number} tick */
  follow(tick) {
    const x = this.x(tick);
    if (x > this.width * 0.9 || x < 0) this.#move(tick - (this.width * 0.1) / this.scale, this.top);
  }

  /** Shows a place, by scrolling as little as possible. @param {number} tick @param {number} pitch */
  reveal(tick, pitch) {
    const margin = 24;
    const x = this.x(tick);
    const y = this.y(pitch);
    const dx = x < margin ? x - margin : Math.max(0, x - this.width + 3 * margin);
    const dy = y < margin ? y - margin : Math.max(0, y + this.row - this.height + margin);
    this.scroll(dx, dy);
  }

  /** Shows a stretch and its keys as a whole. @param {number} from @param {number} until
   * @param {number} low @param {number} high */
  fit(from, until, low, high) {
    this.scale = clamp((this.width - 40) / Math.max(until - from, 480), 0.001, 0.3);
    this.row = clamp(this.height / (high - low + 5), 7, 16);
    this.#move(from - 12 / this.scale, (HIGHEST - (low + high) / 2 + 0.5) * this.row - this.height / 2);
  }

  /** Sees to it that a stretch is in sight, smaller where it has to be. @param {number} from @param {number} until */
  show(from, until) {
    if (from >= this.left && until <= this.right) return;
    this.scale = Math.min(this.scale, (this.width - 40) / (until - from));
    this.#move(from - 12 / this.scale, this.top);
  }

  /** Sees to it that keys are in sight too, in smaller rows where it has to be. @param {number} low @param {number} high */
  showKeys(low, high) {
    const [bottom, top] = [this.pitch(this.height - 1), this.pitch(0)];
    if (low >= bottom && high <= top) return;
    const [lowest, highest] = [Math.min(low, bottom), Math.max(high, top)];
    this.row = clamp(this.height / (highest - lowest + 1), 6, this.row);
    this.#move(this.left, (HIGHEST - highest) * this.row);
  }

  /** @param {number} left @param {number} top */
  #move(left, top) {
    this.left = Math.max(-12 / this.scale, Math.min(left, this.end + this.width / this.scale));
    this.top = clamp(top, 0, Math.max(0, KEYS * this.row - this.height));
    this.changed.emit(undefined);
  }
}
