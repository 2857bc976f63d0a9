// Commands on notes: what is selected, copied, moved and quantised, and the caret for those without a mouse.

import { clamp, HIGHEST, LOWEST, pitchName, place } from "./music.js";
import { altered, begunEarlier, copied, fitted, lengthened, moved, note, quantised, sounding, split } from "./piece.js";
import { say } from "./page.js";

/** @typedef {import("./commands.js").Command} Command */
/** @typedef {import("./music.js").Note} Note */

/** What a note is called aloud. @param {readonly import("./music.js").Metre[]} metres @param {Note} n */
function spoken(metres, n) {
  const { bar, beat } = place(metres, n.start);
  return `${pitchName(n.pitch)}, bar ${bar} beat ${beat}`;
}

/**
 * @param {import("./session.js").Session} session
 * @param {import("./roll.js").Roll} roll
 * @param {(pitch: number, velocity: number) => void} sound
 * @returns {readonly Command[]}
 */
export function editCommands(session, roll, sound) {
  /** @type {readonly Note[]} */
  let clipboard = [];
  const step = () => (session.snap > 1 ? session.snap : 10);
  const none = () => (session.selected.size ? "" : "Select some notes first.");
  const empty = () => (session.piece.notes.length ? "" : "There are no notes yet.");
  const commit = (/** @type {string} */ label, /** @type {import("./piece.js").Change} */ change) =>
    session.commit(label, fitted(session.piece, change));

  const reveal = (/** @type {number} */ tick, /** @type {number} */ pitch) => roll.view.reveal(tick, pitch);
  const go = (/** @type {number} */ ticks, /** @type {number} */ semitones) => {
    const tick = Math.max(0, session.caret.tick + ticks);
    const pitch = clamp(session.caret.pitch + semitones, LOWEST, HIGHEST);
    roll.moment.caret = true;
    session.set({ caret: { tick, pitch } });
    reveal(tick, pitch);
    const here = sounding(session.piece, tick, tick + 1).find((n) => n.pitch === pitch);
    const { bar, beat } = place(session.piece.metres, tick);
    say(`${pitchName(pitch)}, bar ${bar} beat ${beat}${here ? ", a note" : ""}`);
  };
  /** Moves what is selected, or else the caret. @param {number} ticks @param {number} semitones */
  const move = (ticks, semitones) => {
    if (!session.selected.size) return go(ticks, semitones);
    commit(semitones ? "Transpose" : "Move", moved(session.selection, ticks, semitones));
    const [first] = session.selection;
    if (first) {
      reveal(first.start, first.pitch);
      say(spoken(session.piece.metres, first));
      if (semitones) sound(first.pitch, first.velocity);
    }
  };
  const choose = (/** @type {number} */ by) => {
    const { notes } = session.piece;
    const at = notes.findIndex((n) => session.selected.has(n.id));
    const after = notes.findIndex((n) => n.start >= session.caret.tick);
    const index = at < 0 ? (by > 0 ? after : (after < 0 ? notes.length : after) - 1) : at + by;
    const n = notes[clamp(index, 0, notes.length - 1)];
    if (!n) return;
    session.select([n.id]);
    session.set({ caret: { tick: n.start, pitch: n.pitch } });
    reveal(n.start, n.pitch);
    sound(n.pitch, n.velocity);
    say(spoken(session.piece.metres, n));
  };
  const write = () => {
    const { caret, length, velocity } = session;
    const drawn = note(caret.pitch, caret.tick, caret.tick + length, velocity);
    commit("Draw", { removed: [], added: [drawn] });
    sound(caret.pitch, velocity);
    go(length, 0);
    say(`Wrote ${spoken(session.piece.metres, drawn)}`);
  };
  const insert = (/** @type {readonly Note[]} */ notes, /** @type {number} */ ticks, /** @type {string} */ label) => {
    const change = copied(notes, ticks);
    commit(label, change);
    session.select(change.added.map((n) => n.id));
    const [first] = change.added;
    if (first) reveal(first.start, first.pitch);
  };
  const span = (/** @type {readonly Note[]} */ notes) => {
    const first = Math.min(...notes.map((n) => n.start));
    const last = Math.max(...notes.map((n) => n.end));
    return { first, last, length: Math.ceil((last - first) / step()) * step() };
  };
  const remove = () => session.commit("Delete", { removed: session.selection, added: [] });
  const copy = () => {
    clipboard = session.selection;
    say(`${clipboard.length} notes copied`);
  };
  const louder = (/** @type {number} */ by) =>
    session.commit("Velocity", altered(session.selection, (n) => ({ velocity: clamp(n.velocity + by, 1, 127) })));

  const group = "Notes";
  return [
    { id: "select-all", title: "Select all", group, keys: ["Mod+a"], refusal: empty, run: () => session.select(session.piece.notes.map((n) => n.id)) },
    { id: "select-none", title: "Select nothing", group, keys: ["Escape"], run: () => session.select([]) },
    { id: "next", title: "Next note", group, keys: ["."], refusal: empty, run: () => choose(1) },
    { id: "previous", title: "Previous note", group, keys: [","], refusal: empty, run: () => choose(-1) },
    { id: "write", title: "Write a note at the caret", group, keys: ["Enter"], run: write },
    { id: "delete", title: "Delete", group, keys: ["Delete", "Backspace"], refusal: none, run: remove },
    { id: "cut", title: "Cut", group, keys: ["Mod+x"], refusal: none, run: () => { copy(); remove(); } },
    { id: "copy", title: "Copy", group, keys: ["Mod+c"], refusal: none, run: copy },
    { id: "paste", title: "Paste at the playhead", group, keys: ["Mod+v"], refusal: () => (clipboard.length ? "" : "Copy some notes first."), run: () => insert(clipboard, session.playhead - span(clipboard).first, "Paste") },
    { id: "duplicate", title: "Duplicate", group, keys: ["Mod+d"], refusal: none, run: () => insert(session.selection, span(session.selection).length, "Duplicate") },
    { id: "quantise", title: "Quantise to the snap", group, keys: ["q"], refusal: () => none() || (session.snap > 1 ? "" : "Choose a snap first."), run: () => commit("Quantise", quantised(session.selection, session.snap)) },
    { id: "split-here", title: "Split at the playhead", group, keys: ["s"], refusal: none, run: () => session.commit("Split", split(session.selection, session.playhead)) },
    { id: "left", title: "Earlier, or caret left", group, keys: ["ArrowLeft"], run: () => move(-step(), 0) },
    { id: "right", title: "Later, or caret right", group, keys: ["ArrowRight"], run: () => move(step(), 0) },
    { id: "up", title: "Up a semitone", group, keys: ["ArrowUp"], run: () => move(0, 1) },
    { id: "down", title: "Down a semitone", group, keys: ["ArrowDown"], run: () => move(0, -1) },
    { id: "octave-up", title: "Up an octave", group, keys: ["Shift+ArrowUp"], run: () => move(0, 12) },
    { id: "octave-down", title: "Down an octave", group, keys: ["Shift+ArrowDown"], run: () => move(0, -12) },
    { id: "longer", title: "Longer", group, keys: ["Shift+ArrowRight", "]"], refusal: none, run: () => commit("Resize", lengthened(session.selection, step(), step())) },
    { id: "shorter", title: "Shorter", group, keys: ["Shift+ArrowLeft", "["], refusal: none, run: () => commit("Resize", lengthened(session.selection, -step(), step())) },
    { id: "earlier", title: "Begin earlier, end the same", group, keys: ["Alt+["], refusal: none, run: () => commit("Resize", begunEarlier(session.selection, -step(), step())) },
    { id: "louder", title: "Louder", group, keys: ["Alt+ArrowUp"], refusal: none, run: () => louder(6) },
    { id: "softer", title: "Softer", group, keys: ["Alt+ArrowDown"], refusal: none, run: () => louder(-6) },
  ];
}
