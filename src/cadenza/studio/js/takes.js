// Takes: what the composer writes, while it writes it, until one is kept.

import { firstFrom, fitted, framed, note, toWire } from "./piece.js";
import { Job } from "./server.js";
import { Signal } from "./signal.js";
/** @import { Note, Span } from "./music.js" */
/** @import { Change } from "./piece.js" */
/** @import { Drawn, Row } from "./server.js" */
/** @import { Session } from "./session.js" */

/**
 * @typedef {{notes: Map<string, Note>, removed: Set<string>, pedal: readonly Span[], done: boolean,
 *   style: string | null, remarks: readonly string[]}} Take
 * notes by onset and pitch, as removed, which are those that it stands in place of
 */

/**
 * What is asked for, beside the piece.
 * @typedef {{operation: string, model: string, begin: number | null, end: number | null, pitches: [number, number],
 *   strength: number, takes: number, bars: number, seed: number, style: string | null, temperature: number,
 *   key: string | null, pitch_range: string | null, density: number | null, chords: string | null,
 *   most_notes: number | null, hand_span: number | null}} Wish
 */

/** @param {Row} row @returns {string} onset and pitch, of which there is one note */
const at = ([pitch, start]) => `${start} ${pitch}`;

const NOTHING = "Nothing came: to the composer the music is over here. Ask again, and it draws anew.";

/** @param {Note} n */
const placeOf = (n) => at([n.pitch, n.start, n.end, n.velocity]);

/** The composer's note. @param {Row} row */
const composed = ([pitch, start, end, velocity]) => note(pitch, start, end, velocity, 1);

export class Takes {
  /** @type {Take[]} */
  takes = [];
  /** Which take is shown and heard. */
  chosen = 0;
  /** Tick from which on they write. */
  begin = 0;
  /** @type {Wish | null} */
  wish = null;
  /** What was asked for, as the history calls it. */
  title = "";
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

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    session.leaving.on(() => this.discard());
  }

  /** Whether notes are still coming. */
  get running() {
    return this.#job !== null;
  }

  /** Whether there is anything to keep. */
  get any() {
    return this.takes.some((take) => take.notes.size);
  }

  /** @param {Wish} wish @param {string} title */
  ask(wish, title) {
    const { session } = this;
    this.discard();
    this.wish = wish;
    this.title = title;
    this.begin = wish.begin ?? session.end;
    this.latency = -1;
    this.error = "";
    this.before = 0;
    this.#asked = performance.now();
    // Of what is written anew it is known beforehand which notes that is.
    const [low, high] = wish.pitches;
    const anew = session.piece.notes.filter(
      (n) => wish.operation === "redo" && this.begin <= n.start && n.start < (wish.end ?? Infinity) && low <= n.pitch && n.pitch <= high,
    );
    const removed = new Set(anew.map(placeOf));
    this.takes = Array.from({ length: wish.takes }, () => ({ notes: new Map(), removed, pedal: [], done: false, style: null, remarks: [] }));
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
    const label = (/** @type {number} */ i) => takes.length > 1 ? `${this.title}, take ${i + 1}` : this.title;
    takes.forEach((take, i) => {
      if (i !== chosen && take.done) session.commit(label(i), change(take), { take: true, stay: true });
    });
    const take = takes[chosen];
    if (take?.notes.size) {
      const anew = !this.#goesOn && this.#replaced(take).some((n) => session.selected.has(n.id));
      session.commit(label(chosen), change(take), { take: true });
      // What was selected and written anew can be so again.
      if (anew) session.select([...session.selected, ...[...take.notes.values()].map((n) => n.id)]);
    }
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

  /** What keeping a take would do: its notes stand in place of those that began from there on.
   * @param {Take} take @returns {Change} */
  #changeOf(take) {
    const { piece } = this.session;
    const added = [...take.notes.values()];
    const change = fitted(piece, { removed: this.#replaced(take), added });
    if (!take.done) return change;
    // What is drawn into the piece comes with its pedal up to the end; what goes on, with its own.
    const end = this.#goesOn ? added.reduce((last, n) => Math.max(last, n.end), this.begin) : Infinity;
    const before = piece.pedal.filter(([from]) => from < this.begin).map(([from, until]) => /** @type {const} */ ([from, Math.min(until, this.begin)]));
    const pedal = [...before, ...take.pedal, ...piece.pedal.filter(([from]) => from >= end)];
    return { ...framed(piece, { pedal }), ...change };
  }

  /** Whether it goes on from a place, and is not drawn into the piece. */
  get #goesOn() {
    return this.wish?.operation === "continue" || this.wish?.operation === "compose";
  }

  /** Notes that a take stands in place of. @param {Take} take @returns {readonly Note[]} */
  #replaced(take) {
    const { notes } = this.session.piece;
    if (!this.#goesOn) return notes.filter((n) => take.removed.has(placeOf(n)));
    const end = [...take.notes.values()].reduce((last, n) => Math.max(last, n.end), this.begin);
    return notes.slice(firstFrom(notes, this.begin), firstFrom(notes, end));
  }

  /** @param {number} number @param {Row[]} rows */
  #came(number, rows) {
    const take = this.takes[number];
    if (!take || !rows.length) return;
    for (const row of rows) take.notes.set(at(row), composed(row));
    if (this.latency < 0) {
      this.latency = performance.now() - this.#asked;
      this.begin = Math.min(...rows.map((row) => row[1]), this.wish?.begin ?? Infinity);
      this.started.emit(undefined);
    }
    this.#later();
  }

  /** @param {Drawn} drawn */
  #finished(drawn) {
    const take = this.takes[drawn.take];
    if (!take) return;
    take.notes = new Map(drawn.notes.map((row) => [at(row), composed(row)]));
    take.removed = new Set(drawn.removed.map(at));
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
    this.takes = this.takes.filter((take) => take.notes.size);
    this.error = error ?? (this.any ? "" : NOTHING);
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
    const replaced = take && notes.length ? this.#replaced(take).map((n) => n.id) : [];
    this.session.setGhosts(notes, take?.pedal ?? [], replaced);
    this.changed.emit(undefined);
  }
}
