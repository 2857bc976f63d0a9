// What is open: the piece with its history, what is selected, where the playhead stands.

import { History } from "./history.js";
import { lengthOf, sounding } from "./piece.js";
import { Signal } from "./signal.js";
/** @import { Note, Span } from "./music.js" */
/** @import { Change } from "./piece.js" */

/** @typedef {"draw" | "select" | "split" | "erase"} Tool */

export class Session {
  history = new History();
  /** @type {ReadonlySet<number>} numbers of notes */
  selected = new Set();
  /** Where keys write: @type {{tick: number, pitch: number}} */
  caret = { tick: 0, pitch: 60 };
  playhead = 0;
  /** Whether the playhead was put where it stands, and did not just stop there. */
  placed = false;
  /** @type {Span | null} */
  loop = null;
  /** @type {Tool} */
  tool = "draw";
  /** Ticks of the grid that edits keep to. */
  snap = 120;
  /** Velocity of the next note that is drawn. */
  velocity = 80;
  /** Ticks of the next note that is drawn. */
  length = 240;
  name = "Untitled";
  /** Chords to harmonise with, in words, and the bars that they are for. */
  chords = { text: "", begin: 0, end: 0 };
  /** Nats of notes by their numbers, where they are shown. @type {ReadonlyMap<number, number> | null} */
  surprises = null;
  /** Notes that are shown and heard but not yet part of the piece. @type {readonly Note[]} */
  ghosts = [];
  /** When the pedal is down in what is shown but not yet kept. @type {readonly Span[]} */
  ghostPedal = [];
  /** Notes that ghosts stand in place of. @type {ReadonlySet<number>} */
  replaced = new Set();

  /** Another piece is about to be opened: whatever goes on in this one ends, and is kept in it. */
  leaving = new Signal();
  opened = new Signal();
  pieceChanged = new Signal();
  selectionChanged = new Signal();
  playheadChanged = new Signal();
  settingsChanged = new Signal();
  ghostsChanged = new Signal();

  get piece() {
    return this.history.piece;
  }

  /** Makes a change, as something that can be undone. @param {string} label @param {Change} change
   * @param {{take?: boolean, stay?: boolean}} [how] */
  commit(label, change, how) {
    if (!change.removed.length && !change.added.length && !change.after) return;
    this.history.add(label, change, how);
    this.#moved();
  }

  undo() {
    const node = this.history.undoable;
    if (node) this.go(node.parent);
  }

  redo() {
    const node = this.history.redoable;
    if (node) this.go(node.id);
  }

  /** @param {number} id of a node of the history */
  go(id) {
    this.history.go(id);
    this.#moved();
  }

  #moved() {
    const here = new Set(this.piece.notes.map((n) => n.id));
    const kept = [...this.selected].filter((id) => here.has(id));
    if (kept.length < this.selected.size) this.select(kept);
    this.pieceChanged.emit(undefined);
  }

  /** @param {Iterable<number>} ids */
  select(ids) {
    this.selected = new Set(ids);
    this.selectionChanged.emit(undefined);
  }

  /** @returns {readonly Note[]} */
  get selection() {
    return this.selected.size ? this.piece.notes.filter((n) => this.selected.has(n.id)) : [];
  }

  /** @param {number} tick @param {boolean} [placed] whether it is put there, to go on from */
  setPlayhead(tick, placed = false) {
    this.placed = placed;
    this.playhead = Math.max(0, Math.round(tick));
    this.playheadChanged.emit(undefined);
  }

  /** @param {Partial<Pick<Session, "tool" | "snap" | "loop" | "velocity" | "length" | "name" | "caret" | "surprises" | "chords">>} settings */
  set(settings) {
    Object.assign(this, settings);
    this.settingsChanged.emit(undefined);
  }

  /** @param {readonly Note[]} notes @param {readonly Span[]} pedal @param {Iterable<number>} replaced */
  setGhosts(notes, pedal, replaced) {
    this.ghosts = notes;
    this.ghostPedal = pedal;
    this.replaced = new Set(replaced);
    this.ghostsChanged.emit(undefined);
  }

  /** What is heard in a stretch: the notes that begin there, ghosts in place of what they replace.
   * @param {number} from @param {number} until @returns {Note[]} */
  heard(from, until) {
    const own = sounding(this.piece, from, until).filter((n) => n.start >= from && !this.replaced.has(n.id));
    return [...own, ...this.ghosts.filter((n) => from <= n.start && n.start < until)];
  }

  /** @returns {readonly Span[]} when the pedal is down, ghosts included */
  get pedal() {
    return this.ghostPedal.length ? [...this.piece.pedal, ...this.ghostPedal] : this.piece.pedal;
  }

  /** @returns {number} tick at which everything has ended, ghosts included */
  get end() {
    return this.ghosts.reduce((last, n) => Math.max(last, n.end), lengthOf(this.piece));
  }

  /** @param {History} history */
  open(history) {
    this.history = history;
    this.placed = false;
    this.selected = new Set();
    this.setGhosts([], [], []);
    this.pieceChanged.emit(undefined);
    this.selectionChanged.emit(undefined);
    this.opened.emit(undefined);
  }
}
