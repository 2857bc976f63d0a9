// What is played on any keyboard: it sounds at once, is shown on the keys, and can be caught as notes.

import { fitted, framed, note } from "./piece.js";
import { Signal } from "./signal.js";
/** @import { Note } from "./music.js" */
/** @import { Piano } from "./piano.js" */
/** @import { Session } from "./session.js" */
/** @import { Transport } from "./transport.js" */

/**
 * A key or the pedal that goes down or up, at a time of the audio context.
 * @typedef {{kind: "key" | "pedal", on: boolean, pitch: number, velocity: number, time: number}} Played
 */

export class Live {
  /** @type {Signal<Played>} */
  played = new Signal();
  /** @type {Set<number>} keys that are down */
  held = new Set();
  /** Keys that are up but sound on under the pedal. @type {Set<number>} */
  #sustained = new Set();
  #pedal = false;

  /** @param {Piano} piano */
  constructor(piano) {
    this.piano = piano;
  }

  /** @param {number} pitch @param {number} velocity */
  down(pitch, velocity) {
    if (this.held.has(pitch)) return;
    this.piano.wake();
    const time = this.piano.context.currentTime;
    this.held.add(pitch);
    this.#sustained.delete(pitch);
    this.piano.strike(pitch, velocity, time);
    this.played.emit({ kind: "key", on: true, pitch, velocity, time });
  }

  /** @param {number} pitch */
  up(pitch) {
    if (!this.held.delete(pitch)) return;
    const time = this.piano.context.currentTime;
    if (this.#pedal) this.#sustained.add(pitch);
    else this.piano.damp(pitch, time);
    this.played.emit({ kind: "key", on: false, pitch, velocity: 0, time });
  }

  /** @param {boolean} on */
  pedal(on) {
    if (on === this.#pedal) return;
    this.#pedal = on;
    const time = this.piano.context.currentTime;
    if (!on) for (const pitch of this.#sustained) this.piano.damp(pitch, time);
    if (!on) this.#sustained.clear();
    this.played.emit({ kind: "pedal", on, pitch: 0, velocity: 0, time });
  }
}

/** Catches what is played as notes and pedal, in ticks of what is being played along with. */
export class Catch {
  /** @type {Note[]} */
  notes = [];
  /** @type {[number, number][]} */
  pedal = [];
  /** @type {Map<number, {start: number, velocity: number}>} */
  #open = new Map();
  #down = -1;
  #off;

  /** @param {Live} live @param {Transport} transport */
  constructor(live, transport) {
    this.transport = transport;
    this.#off = live.played.on((played) => this.#take(played));
  }

  /** Whether a key is down. */
  get holding() {
    return this.#open.size > 0;
  }

  /** Ends catching, what is down being up, and makes what was caught part of the piece.
   * @param {Session} session @param {string} label */
  keep(session, label) {
    this.#off();
    const now = this.transport.piano.context.currentTime;
    for (const pitch of [...this.#open.keys()]) this.#take({ kind: "key", on: false, pitch, velocity: 0, time: now });
    this.#take({ kind: "pedal", on: false, pitch: 0, velocity: 0, time: now });
    const { piece } = session;
    if (!this.notes.length) return;
    const pedal = [...piece.pedal, ...this.pedal].sort((a, b) => a[0] - b[0]);
    session.commit(label, { ...framed(piece, { pedal }), ...fitted(piece, { removed: [], added: this.notes }) });
  }

  /** @param {Played} played */
  #take({ kind, on, pitch, velocity, time }) {
    const tick = Math.max(0, Math.round(this.transport.tickAt(time)));
    if (kind === "pedal") {
      if (!on && this.#down >= 0 && tick > this.#down) this.pedal.push([this.#down, tick]);
      this.#down = on ? tick : -1;
    } else if (on) {
      this.#open.set(pitch, { start: tick, velocity });
    } else {
      const begun = this.#open.get(pitch);
      this.#open.delete(pitch);
      if (begun) this.notes.push(note(pitch, begun.start, Math.max(tick, begun.start + 1), begun.velocity));
    }
  }
}
