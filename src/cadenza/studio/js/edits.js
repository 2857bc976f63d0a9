// Commands on notes: what is selected, copied, moved and quantised, and the caret for those without a mouse.

import { clamp, HIGHEST, LOWEST, pitchName, place } from "./music.js";
import { altered, begunEarlier, copied, fitted, lengthened, moved, note, quantised, sounding, split } from "./piece.js";
import { say } from "./page.js";

/** @typedef {import("./music.js").Note} Note */

/** When the first of some notes begins and the last ends. @param {readonly Note[]} notes */
const span = (notes) => ({ first: Math.min(...notes.map((n) => n.start)), last: Math.max(...notes.map((n) => n.end)) });

export class Edits {
  /** @type {readonly Note[]} */
  #clipboard = [];

  /** @param {import("./session.js").Session} session @param {import("./roll.js").Roll} roll
   * @param {(pitch: number, velocity: number) => void} sound */
  constructor(session, roll, sound) {
    this.session = session;
    this.roll = roll;
    this.sound = sound;
  }

  /** @returns {readonly import("./commands.js").Command[]} */
  get commands() {
    const { session } = this;
    const none = () => (session.selected.size ? "" : "Select some notes first.");
    const empty = () => (session.piece.notes.length ? "" : "There are no notes yet.");
    const some = (/** @type {(selection: readonly Note[]) => unknown} */ act) => ({ group: "Notes", refusal: none, run: () => act(session.selection) });
    const any = (/** @type {() => unknown} */ run) => ({ group: "Notes", run });
    return [
      { id: "select-all", title: "Select all", keys: ["Mod+a"], ...any(() => session.select(session.piece.notes.map((n) => n.id))), refusal: empty },
      { id: "select-none", title: "Select nothing", keys: ["Escape"], ...any(() => session.select([])) },
      { id: "next", title: "Next note", keys: ["."], ...any(() => this.#choose(1)), refusal: empty },
      { id: "previous", title: "Previous note", keys: [","], ...any(() => this.#choose(-1)), refusal: empty },
      { id: "write", title: "Write a note at the caret", keys: ["Enter"], ...any(() => this.#write()) },
      { id: "delete", title: "Delete", keys: ["Delete", "Backspace"], ...some((notes) => this.#remove(notes)) },
      { id: "cut", title: "Cut", keys: ["Mod+x"], ...some((notes) => { this.#copy(notes); this.#remove(notes); }) },
      { id: "copy", title: "Copy", keys: ["Mod+c"], ...some((notes) => this.#copy(notes)) },
      { id: "paste", title: "Paste at the playhead", keys: ["Mod+v"], ...any(() => this.#paste()), refusal: () => (this.#clipboard.length ? "" : "Copy some notes first.") },
      { id: "duplicate", title: "Duplicate", keys: ["Mod+d"], ...some((notes) => this.#duplicate(notes)) },
      { id: "quantise", title: "Quantise to the snap", keys: ["q"], ...some((notes) => this.#commit("Quantise", quantised(notes, session.snap))), refusal: () => none() || (session.snap > 1 ? "" : "Choose a snap first.") },
      { id: "split-here", title: "Split at the playhead", keys: ["s"], ...some((notes) => session.commit("Split", split(notes, session.playhead))) },
      { id: "left", title: "Earlier, or caret left", keys: ["ArrowLeft"], ...any(() => this.#move(-this.#step, 0)) },
      { id: "right", title: "Later, or caret right", keys: ["ArrowRight"], ...any(() => this.#move(this.#step, 0)) },
      { id: "up", title: "Up a semitone", keys: ["ArrowUp"], ...any(() => this.#move(0, 1)) },
      { id: "down", title: "Down a semitone", keys: ["ArrowDown"], ...any(() => this.#move(0, -1)) },
      { id: "octave-up", title: "Up an octave", keys: ["Shift+ArrowUp"], ...any(() => this.#move(0, 12)) },
      { id: "octave-down", title: "Down an octave", keys: ["Shift+ArrowDown"], ...any(() => this.#move(0, -12)) },
      { id: "longer", title: "Longer", keys: ["Shift+ArrowRight", "]"], ...some((notes) => this.#commit("Resize", lengthened(notes, this.#step, this.#step))) },
      { id: "shorter", title: "Shorter", keys: ["Shift+ArrowLeft", "["], ...some((notes) => this.#commit("Resize", lengthened(notes, -this.#step, this.#step))) },
      { id: "earlier", title: "Begin earlier, end the same", keys: ["Alt+["], ...some((notes) => this.#commit("Resize", begunEarlier(notes, -this.#step, this.#step))) },
      { id: "louder", title: "Louder", keys: ["Alt+ArrowUp"], ...some((notes) => this.#louder(notes, 6)) },
      { id: "softer", title: "Softer", keys: ["Alt+ArrowDown"], ...some((notes) => this.#louder(notes, -6)) },
    ];
  }

  /** Ticks that an arrow key goes. */
  get #step() {
    return this.session.snap > 1 ? this.session.snap : 10;
  }

  /** @param {string} label @param {import("./piece.js").Change} change */
  #commit(label, change) {
    this.session.commit(label, fitted(this.session.piece, change));
  }

  /** What a place is called aloud. @param {number} pitch @param {number} tick */
  #spoken(pitch, tick) {
    const { bar, beat } = place(this.session.piece.metres, tick);
    return `${pitchName(pitch)}, bar ${bar} beat ${beat}`;
  }

  /** Moves the caret. @param {number} ticks @param {number} semitones */
  #go(ticks, semitones) {
    const { session, roll } = this;
    const tick = Math.max(0, session.caret.tick + ticks);
    const pitch = clamp(session.caret.pitch + semitones, LOWEST, HIGHEST);
    roll.moment.caret = true;
    session.set({ caret: { tick, pitch } });
    roll.view.reveal(tick, pitch);
    const here = sounding(session.piece, tick, tick + 1).some((n) => n.pitch === pitch);
    say(this.#spoken(pitch, tick) + (here ? ", a note" : ""));
  }

  /** Moves what is selected, or else the caret. @param {number} ticks @param {number} semitones */
  #move(ticks, semitones) {
    const { session } = this;
    if (!session.selected.size) return this.#go(ticks, semitones);
    this.#commit(semitones ? "Transpose" : "Move", moved(session.selection, ticks, semitones));
    const [first] = session.selection;
    this.roll.view.reveal(first.start, first.pitch);
    say(this.#spoken(first.pitch, first.start));
    if (semitones) this.sound(first.pitch, first.velocity);
  }

  /** Selects the note after or before the one that is selected, else after or before the caret. @param {1 | -1} by */
  #choose(by) {
    const { session } = this;
    const { notes } = session.piece;
    const at = notes.findIndex((n) => session.selected.has(n.id));
    const after = notes.findIndex((n) => n.start >= session.caret.tick);
    const index = at < 0 ? (by > 0 ? after : (after < 0 ? notes.length : after) - 1) : at + by;
    const { id, pitch, start, velocity } = notes[clamp(index, 0, notes.length - 1)];
    session.select([id]);
    session.set({ caret: { tick: start, pitch } });
    this.roll.view.reveal(start, pitch);
    this.sound(pitch, velocity);
    say(this.#spoken(pitch, start));
  }

  #write() {
    const { caret, length, velocity } = this.session;
    this.#commit("Draw", { removed: [], added: [note(caret.pitch, caret.tick, caret.tick + length, velocity)] });
    this.sound(caret.pitch, velocity);
    this.#go(length, 0);
    say(`Wrote ${this.#spoken(caret.pitch, caret.tick)}`);
  }

  /** @param {readonly Note[]} notes */
  #remove(notes) {
    this.session.commit("Delete", { removed: notes, added: [] });
  }

  /** @param {readonly Note[]} notes */
  #copy(notes) {
    this.#clipboard = notes;
    say(`${notes.length} notes copied`);
  }

  #paste() {
    this.#insert("Paste", this.#clipboard, this.session.playhead - span(this.#clipboard).first);
  }

  /** Copies notes to right after them. @param {readonly Note[]} notes */
  #duplicate(notes) {
    const { first, last } = span(notes);
    this.#insert("Duplicate", notes, Math.ceil((last - first) / this.#step) * this.#step);
  }

  /** Puts copies of notes so many ticks later, and selects them. @param {string} label @param {readonly Note[]} notes
   * @param {number} ticks */
  #insert(label, notes, ticks) {
    const change = copied(notes, ticks);
    this.#commit(label, change);
    this.session.select(change.added.map((n) => n.id));
    this.roll.view.reveal(change.added[0].start, change.added[0].pitch);
  }

  /** @param {readonly Note[]} notes @param {number} by */
  #louder(notes, by) {
    this.session.commit("Velocity", altered(notes, (n) => ({ velocity: clamp(n.velocity + by, 1, 127) })));
  }
}
