// Commands on notes: what is selected, copied, moved and quantised, and the caret for those without a mouse.

import { clamp, HIGHEST, LOWEST, pitchName, place } from "./music.js";
import { altered, begunEarlier, copied, fitted, lengthened, moved, note, quantised, sounding, split } from "./piece.js";
import { say } from "./page.js";
import * as roll from "./roll.js";
import { session, touch, view } from "./studio.js";
/** @import { Command } from "./commands.js" */
/** @import { Note } from "./music.js" */
/** @import { Change } from "./piece.js" */

/** When the first of some notes begins and the last ends. @param {readonly Note[]} notes */
const span = (notes) => ({ first: Math.min(...notes.map((n) => n.start)), last: Math.max(...notes.map((n) => n.end)) });

/** @type {readonly Note[]} */
let clipboard = [];

const none = () => (session.selected.size ? "" : "Select some notes first.");
const empty = () => (session.piece.notes.length ? "" : "There are no notes yet.");
const some = (/** @type {(selection: readonly Note[]) => unknown} */ act) => ({ group: "Notes", refusal: none, run: () => act(session.selection) });
const any = (/** @type {() => unknown} */ run) => ({ group: "Notes", run });
/** @type {readonly Command[]} */
export const edits = [
  { id: "select-all", title: "Select all", keys: ["Mod+a"], ...any(() => session.select(session.piece.notes.map((n) => n.id))), refusal: empty },
  { id: "select-none", title: "Select nothing", keys: ["Escape"], ...any(() => session.select([])) },
  { id: "next", title: "Next note", keys: ["."], ...any(() => choose(1)), refusal: empty },
  { id: "previous", title: "Previous note", keys: [","], ...any(() => choose(-1)), refusal: empty },
  { id: "write", title: "Write a note at the caret", keys: ["Enter"], ...any(write) },
  { id: "delete", title: "Delete", keys: ["Delete", "Backspace"], ...some(remove) },
  { id: "cut", title: "Cut", keys: ["Mod+x"], ...some((notes) => { copy(notes); remove(notes); }) },
  { id: "copy", title: "Copy", keys: ["Mod+c"], ...some(copy) },
  { id: "paste", title: "Paste at the playhead", keys: ["Mod+v"], ...any(paste), refusal: () => (clipboard.length ? "" : "Copy some notes first.") },
  { id: "duplicate", title: "Duplicate", keys: ["Mod+d"], ...some(duplicate) },
  { id: "quantise", title: "Quantise to the snap", keys: ["q"], ...some((notes) => commit("Quantise", quantised(notes, session.snap))), refusal: () => none() || (session.snap > 1 ? "" : "Choose a snap first.") },
  { id: "split-here", title: "Split at the playhead", keys: ["s"], ...some((notes) => session.commit("Split", split(notes, session.playhead))) },
  { id: "left", title: "Earlier, or caret left", keys: ["ArrowLeft"], ...any(() => move(-step(), 0)) },
  { id: "right", title: "Later, or caret right", keys: ["ArrowRight"], ...any(() => move(step(), 0)) },
  { id: "up", title: "Up a semitone", keys: ["ArrowUp"], ...any(() => move(0, 1)) },
  { id: "down", title: "Down a semitone", keys: ["ArrowDown"], ...any(() => move(0, -1)) },
  { id: "octave-up", title: "Up an octave", keys: ["Shift+ArrowUp"], ...any(() => move(0, 12)) },
  { id: "octave-down", title: "Down an octave", keys: ["Shift+ArrowDown"], ...any(() => move(0, -12)) },
  { id: "longer", title: "Longer", keys: ["Shift+ArrowRight", "]"], ...some((notes) => commit("Resize", lengthened(notes, step(), step()))) },
  { id: "shorter", title: "Shorter", keys: ["Shift+ArrowLeft", "["], ...some((notes) => commit("Resize", lengthened(notes, -step(), step()))) },
  { id: "earlier", title: "Begin earlier, end the same", keys: ["Alt+["], ...some((notes) => commit("Resize", begunEarlier(notes, -step(), step()))) },
  { id: "louder", title: "Louder", keys: ["Alt+ArrowUp"], ...some((notes) => louder(notes, 6)) },
  { id: "softer", title: "Softer", keys: ["Alt+ArrowDown"], ...some((notes) => louder(notes, -6)) },
];

/** Ticks that an arrow key goes. */
const step = () => (session.snap > 1 ? session.snap : 10);

/** @param {string} label @param {Change} change */
function commit(label, change) {
  session.commit(label, fitted(session.piece, change));
}

/** What a place is called aloud. @param {number} pitch @param {number} tick */
function spoken(pitch, tick) {
  const { bar, beat } = place(session.piece.metres, tick);
  return `${pitchName(pitch)}, bar ${bar} beat ${beat}`;
}

/** Moves the caret. @param {number} ticks @param {number} semitones */
function go(ticks, semitones) {
  const tick = Math.max(0, session.caret.tick + ticks);
  const pitch = clamp(session.caret.pitch + semitones, LOWEST, HIGHEST);
  roll.moment.caret = true;
  session.set({ caret: { tick, pitch } });
  view.reveal(tick, pitch);
  const here = sounding(session.piece, tick, tick + 1).some((n) => n.pitch === pitch);
  say(spoken(pitch, tick) + (here ? ", a note" : ""));
}

/** Moves what is selected, or else the caret. @param {number} ticks @param {number} semitones */
function move(ticks, semitones) {
  if (!session.selected.size) return go(ticks, semitones);
  commit(semitones ? "Transpose" : "Move", moved(session.selection, ticks, semitones));
  const [first] = session.selection;
  view.reveal(first.start, first.pitch);
  say(spoken(first.pitch, first.start));
  if (semitones) touch(first.pitch, first.velocity);
}

/** Selects the note after or before the one that is selected, else after or before the caret. @param {1 | -1} by */
function choose(by) {
  const { notes } = session.piece;
  const at = notes.findIndex((n) => session.selected.has(n.id));
  const after = notes.findIndex((n) => n.start >= session.caret.tick);
  const index = at < 0 ? (by > 0 ? after : (after < 0 ? notes.length : after) - 1) : at + by;
  const { id, pitch, start, velocity } = notes[clamp(index, 0, notes.length - 1)];
  session.select([id]);
  session.set({ caret: { tick: start, pitch } });
  view.reveal(start, pitch);
  touch(pitch, velocity);
  say(spoken(pitch, start));
}

function write() {
  const { caret, length, velocity } = session;
  commit("Draw", { removed: [], added: [note(caret.pitch, caret.tick, caret.tick + length, velocity)] });
  touch(caret.pitch, velocity);
  go(length, 0);
  say(`Wrote ${spoken(caret.pitch, caret.tick)}`);
}

/** @param {readonly Note[]} notes */
function remove(notes) {
  session.commit("Delete", { removed: notes, added: [] });
}

/** @param {readonly Note[]} notes */
function copy(notes) {
  clipboard = notes;
  say(`${notes.length} notes copied`);
}

function paste() {
  insert("Paste", clipboard, session.playhead - span(clipboard).first);
}

/** Copies notes to right after them. @param {readonly Note[]} notes */
function duplicate(notes) {
  const { first, last } = span(notes);
  insert("Duplicate", notes, Math.ceil((last - first) / step()) * step());
}

/** Puts copies of notes so many ticks later, and selects them. @param {string} label @param {readonly Note[]} notes
 * @param {number} ticks */
function insert(label, notes, ticks) {
  const change = copied(notes, ticks);
  commit(label, change);
  session.select(change.added.map((n) => n.id));
  view.reveal(change.added[0].start, change.added[0].pitch);
}

/** @param {readonly Note[]} notes @param {number} by */
function louder(notes, by) {
  session.commit("Velocity", altered(notes, (n) => ({ velocity: clamp(n.velocity + by, 1, 127) })));
}
