// Musical time and pitch: plain functions on ticks, 480 a quarter note.

/**
 * A note. `by` is 1 where the composer wrote it.
 * @typedef {{readonly id: number, readonly pitch: number, readonly start: number, readonly end: number,
 *   readonly velocity: number, readonly by: 0 | 1}} Note
 * @typedef {readonly [begin: number, end: number]} Span
 * @typedef {readonly [tick: number, qpm: number]} Tempo
 * @typedef {readonly [tick: number, beats: number, unit: number]} Metre
 * Of tempos and metres, which hold from a tick on, the first is at 0 and none before another.
 */

export const TICKS = 480;
export const LOWEST = 21;
export const HIGHEST = 108;

const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

/** @param {number} pitch @returns {string} such as C4, middle C */
export const pitchName = (pitch) => NAMES[pitch % 12] + String(Math.floor(pitch / 12) - 1);

/** @param {number} pitch @returns {boolean} whether it is a black key */
export const isBlack = (pitch) => [1, 3, 6, 8, 10].includes(pitch % 12);

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Snap values: name and ticks; a triplet is two thirds of its note. */
export const SNAPS = /** @type {const} */ ([
  ["1/4", 480],
  ["1/8", 240],
  ["1/8 triplet", 160],
  ["1/16", 120],
  ["1/16 triplet", 80],
  ["1/32", 60],
  ["1/48", 40],
  ["off", 1],
]);

/** Along a tempo map: seconds of ticks and back. */
export class Clock {
  /** @param {readonly Tempo[]} tempos */
  constructor(tempos) {
    /** @type {{tick: number, seconds: number, rate: number}[]} rate: seconds a tick */
    this.changes = [];
    for (const [tick, qpm] of tempos) {
      const seconds = this.changes.length ? this.seconds(tick) : 0;
      this.changes.push({ tick, seconds, rate: 60 / qpm / TICKS });
    }
  }

  /** @param {number} tick */
  seconds(tick) {
    const change = this.#last((c) => c.tick <= tick);
    return change.seconds + (tick - change.tick) * change.rate;
  }

  /** @param {number} seconds */
  tick(seconds) {
    const change = this.#last((c) => c.seconds <= seconds);
    return change.tick + (seconds - change.seconds) / change.rate;
  }

  /** @param {(change: {tick: number, seconds: number, rate: number}) => boolean} fits */
  #last(fits) {
    let found = this.changes[0];
    for (const change of this.changes) {
      if (!fits(change)) break;
      found = change;
    }
    return found;
  }
}

/** The bar that a tick lies in. @param {readonly Metre[]} metres @param {number} tick
 * @returns {{number: number, begin: number, end: number, beat: number}} number from 1; beat in ticks */
export function barAt(metres, tick) {
  let number = 1;
  for (let i = 0; i < metres.length; i++) {
    const [from, beats, unit] = metres[i];
    const until = i + 1 < metres.length ? metres[i + 1][0] : Infinity;
    const beat = (TICKS * 4) / unit;
    const length = Math.max(1, beat * beats);
    if (tick < until) {
      const index = Math.max(0, Math.floor((tick - from) / length));
      const begin = from + index * length;
      return { number: number + index, begin, end: Math.min(begin + length, until), beat };
    }
    number += Math.ceil((until - from) / length);
  }
  throw new RangeError("no bar"); // the last metre holds for ever
}

/** The bars that touch a stretch. @param {readonly Metre[]} metres @param {number} from @param {number} until */
export function* bars(metres, from, until) {
  for (let bar = barAt(metres, Math.max(0, from)); ; bar = barAt(metres, bar.end)) {
    yield bar;
    if (bar.end >= until) return;
  }
}

/** Where a tick is, as musicians say it: bar and beat. @param {readonly Metre[]} metres @param {number} tick */
export function place(metres, tick) {
  const bar = barAt(metres, Math.max(0, tick));
  return { bar: bar.number, beat: Math.floor((tick - bar.begin) / bar.beat) + 1 };
}

/** @param {number} seconds @returns {string} such as 1:05.3 */
export function minutes(seconds) {
  const tenths = Math.floor(Math.max(0, seconds) * 10);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** When the damper falls on a key that goes up at a tick: a pedal that is down by then holds it.
 * @param {readonly Span[]} pedal @param {number} end */
export function damped(pedal, end) {
  const held = pedal.find(([from, until]) => from < end && end <= until);
  return held ? held[1] : end;
}
