// Takes: what the composer writes, while it writes it, until one is kept.

import { firstFrom, fitted, framed, note, toWire } from "./piece.js";
import { Job } from "./server.js";
import { Signal } from "./signal.js";

/** @typedef {import("./music.js").Note} Note */
/** @typedef {import("./music.js").Span} Span */

/**
 * @typedef {{notes: Map<string, Note>, pedal: readonly Span[], done: boolean, seed: number, style: string | null,
 *   remarks: readonly string[]}} Take
 * notes by onset and pitch
 */

/**
 * What is asked for, beside the piece.
 * @typedef {{operation: string, model: string, begin: number | null, takes: number, bars: number, seed: number,
 *   style: string | null, temperature: number, key: string | null, pitch_range: string | null}} Wish
 */

export class Takes {
  /** @type {Take[]} */
  takes = [];
  /** Which take is shown and heard. */
  chosen = 0;
  /** Tick from which on they write. */
  begin = 0;
  /** @type {Wish | null} */
  wish = null;
  /** Why it ended early, in words. */
  error = "";
  /** Milliseconds from the asking to the first note; -1 before it. */
  latency = -1;
  /** Jobs before this one, while it waits. */
  before = 0;
  changed = new Signal();
  /** The first note has come. */
  started = new Signal();
  /** Everything has come, or no more will. */
  ended = new Signal();

  /** @type {Job | null} */
  #job = null;
  #asked = 0;
  #drawing = false;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
  }

  /** Whether notes are still coming. */
  get running() {
    return this.#job !== null;
  }

  /** Whether there is anything to keep. */
  get any() {
    return this.takes.some((take) => take.notes.size);
  }

  /** @param {Wish} wish */
  ask(wish) {
    this.discard();
    this.wish = wish;
    this.begin = wish.begin ?? this.session.end;
    this.latency = -1;
    this.error = "";
    this.before = 0;
    this.#asked = performance.now();
    this.takes = Array.from({ length: wish.takes }, (_, i) => ({
      notes: new Map(),
      pedal: [],
      done: false,
      seed: wish.seed + i,
      style: null,
      remarks: [],
    }));
    this.chosen = 0;
    this.#job = new Job(
      { ...wish, piece: toWire(this.session.piece) },
      {
        begun: (before) => {
          this.before = before;
          this.#show();
        },
        notes: (number, rows) => this.#came(number, rows),
        take: (drawn) => this.#finished(drawn),
        over: (error) => this.#over(error),
      },
    );
    this.#show();
  }

  /** Stops what is coming; what has come can be kept. */
  cancel() {
    this.#job?.cancel();
  }

  /** @param {number} number of the take that is shown and heard */
  choose(number) {
    if (number < 0 || number >= this.takes.length) return;
    this.chosen = number;
    this.#show();
  }

  /** Makes the chosen take part of the piece; the others become branches beside it. */
  keep() {
    const { chosen, session } = this;
    this.cancel();
    const { takes } = this;
    this.takes = [];
    session.setGhosts([], [], []);
    const change = (/** @type {Take} */ take) => this.#changeOf(take);
    const label = (/** @type {number} */ i) => `${this.#title()}, take ${i + 1}`;
    takes.forEach((take, i) => {
      if (i !== chosen && take.done) session.commit(label(i), change(take), { take: true, stay: true });
    });
    const take = takes[chosen];
    if (take?.notes.size) session.commit(label(chosen), change(take), { take: true });
    this.changed.emit(undefined);
  }

  /** Lets all of them go. */
  discard() {
    this.cancel();
    this.takes = [];
    this.error = "";
    this.session.setGhosts([], [], []);
    this.changed.emit(undefined);
  }

  #title() {
    const name = this.wish?.operation ?? "";
    return name.charAt(0).toUpperCase() + name.slice(1);
  }

  /** What keeping a take would do: its notes stand in place of those that began from there on.
   * @param {Take} take @returns {import("./piece.js").Change} */
  #changeOf(take) {
    const { piece } = this.session;
    const added = [...take.notes.values()];
    const end = added.reduce((last, n) => Math.max(last, n.end), this.begin);
    const removed = this.#replaced(end);
    const pedal = [
      ...piece.pedal.filter(([from]) => from < this.begin || from >= end),
      ...take.pedal,
    ].sort((a, b) => a[0] - b[0]);
    return { ...framed(piece, { pedal }), ...fitted(piece, { removed, added }) };
  }

  /** @param {number} end @returns {readonly Note[]} */
  #replaced(end) {
    const { notes } = this.session.piece;
    return notes.slice(firstFrom(notes, this.begin), firstFrom(notes, end));
  }

  /** @param {number} number @param {import("./server.js").Row[]} rows */
  #came(number, rows) {
    const take = this.takes[number];
    if (!take || !rows.length) return;
    for (const row of rows) take.notes.set(`${row[1]} ${row[0]}`, note(row[0], row[1], row[2], row[3], 1));
    if (this.latency < 0) {
      this.latency = performance.now() - this.#asked;
      this.begin = Math.min(...rows.map((row) => row[1]), this.wish?.begin ?? Infinity);
      this.started.emit(undefined);
    }
    this.#later();
  }

  /** @param {import("./server.js").Drawn} drawn */
  #finished(drawn) {
    const take = this.takes[drawn.take];
    if (!take) return;
    take.notes = new Map(drawn.notes.map((row) => [`${row[1]} ${row[0]}`, note(row[0], row[1], row[2], row[3], 1)]));
    take.pedal = drawn.pedal;
    take.done = true;
    take.style = drawn.style;
    take.remarks = drawn.remarks;
    this.begin = drawn.begin;
    this.#later();
  }

  /** @param {string | null} error */
  #over(error) {
    this.#job = null;
    this.error = error ?? "";
    this.takes = this.takes.filter((take) => take.notes.size);
    this.chosen = Math.max(0, Math.min(this.chosen, this.takes.length - 1));
    this.#show();
    this.ended.emit(undefined);
  }

  /** Shows what has come before the next frame: notes come far faster than frames. */
  #later() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#show();
    });
  }

  #show() {
    const take = this.takes[this.chosen];
    const notes = take ? [...take.notes.values()] : [];
    const end = notes.reduce((last, n) => Math.max(last, n.end), this.begin);
    const replaced = notes.length ? this.#replaced(end).map((n) => n.id) : [];
    this.session.setGhosts(notes, take?.pedal ?? [], replaced);
    this.changed.emit(undefined);
  }
}
