// The piece as a value, and edits of it as changes that can be undone.

import { clamp, HIGHEST, LOWEST } from "./music.js";
/** @import { Metre, Note, Span, Tempo } from "./music.js" */

/**
 * What of a piece is not notes.
 * @typedef {{readonly pedal: readonly Span[], readonly tempos: readonly Tempo[], readonly metres: readonly Metre[]}} Frame
 * @typedef {Frame & {readonly notes: readonly Note[], readonly longest: number}} Piece
 * notes by start, then pitch; longest: ticks of the longest note
 */

/**
 * A step from one piece to another; backwards it goes from the other to the one.
 * @typedef {{readonly removed: readonly Note[], readonly added: readonly Note[],
 *   readonly before?: Partial<Frame>, readonly after?: Partial<Frame>}} Change
 */

/** @type {Piece} */
export const EMPTY = { notes: [], longest: 0, pedal: [], tempos: [[0, 100]], metres: [[0, 4, 4]] };

let lastId = 0;

/** A note with a number of its own. @param {number} pitch @param {number} start @param {number} end
 * @param {number} velocity @param {0 | 1} [by] @returns {Note} */
export const note = (pitch, start, end, velocity, by = 0) => ({ id: ++lastId, pitch, start, end, velocity, by });

/** Sees to it that new notes get other numbers than one that was read. @param {number} id */
export const reserve = (id) => {
  lastId = Math.max(lastId, id);
};

/** @param {Note} a @param {Note} b */
const inOrder = (a, b) => a.start - b.start || a.pitch - b.pitch || a.id - b.id;

/** @param {Piece} piece @param {Change} change @returns {Piece} */
export function apply(piece, change) {
  let { notes, longest } = piece;
  if (change.removed.length || change.added.length) {
    const gone = new Set(change.removed.map((n) => n.id));
    const added = [...change.added].sort(inOrder);
    notes = merged(gone.size ? notes.filter((n) => !gone.has(n.id)) : notes, added);
    longest = change.removed.some((n) => n.end - n.start === longest)
      ? notes.reduce((most, n) => Math.max(most, n.end - n.start), 0)
      : added.reduce((most, n) => Math.max(most, n.end - n.start), longest);
  }
  return { ...piece, ...change.after, notes, longest };
}

/** @param {readonly Note[]} a @param {readonly Note[]} b @returns {readonly Note[]} */
function merged(a, b) {
  if (!b.length) return a;
  if (!a.length || inOrder(a[a.length - 1], b[0]) < 0) return [...a, ...b];
  const all = [];
  let j = 0;
  for (const n of a) {
    while (j < b.length && inOrder(b[j], n) < 0) all.push(b[j++]);
    all.push(n);
  }
  return all.concat(b.slice(j));
}

/** @param {Change} change @returns {Change} */
export const inverse = ({ removed, added, before, after }) => ({ removed: added, added: removed, before: after, after: before });

/** @param {Piece} piece @param {Partial<Frame>} after @returns {Change} */
export function framed(piece, after) {
  /** @type {Record<string, unknown>} */
  const before = {};
  for (const name of Object.keys(after)) before[name] = piece[/** @type {keyof Frame} */ (name)];
  return { removed: [], added: [], before: /** @type {Partial<Frame>} */ (before), after };
}

/** @type {WeakMap<readonly Note[], number>} */
const lengths = new WeakMap();

/** @param {Piece} piece @returns {number} tick at which the last note ends */
export function lengthOf({ notes }) {
  let length = lengths.get(notes);
  if (length === undefined) {
    length = notes.reduce((last, n) => Math.max(last, n.end), 0);
    lengths.set(notes, length);
  }
  return length;
}

/** The notes that sound within a stretch. @param {Piece} piece @param {number} from @param {number} until
 * @returns {readonly Note[]} */
export function sounding(piece, from, until) {
  const { notes } = piece;
  return notes.slice(firstFrom(notes, from - piece.longest), firstFrom(notes, until)).filter((n) => n.end > from);
}

/** The index of the first note that starts at a tick or later. @param {readonly Note[]} notes @param {number} tick */
export function firstFrom(notes, tick) {
  let low = 0;
  let high = notes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (notes[middle].start < tick) low = middle + 1;
    else high = middle;
  }
  return low;
}

// --- Edits: each takes notes and makes a change of them ------------------------------------------------------

/** @param {readonly Note[]} notes @param {(note: Note) => Partial<Note>} how
 * @returns {Change} under the same numbers */
export const altered = (notes, how) => ({ removed: notes, added: notes.map((n) => ({ ...n, ...how(n) })) });

/** Notes moved together, as far as the keys and the beginning let them. @param {readonly Note[]} notes
 * @param {number} ticks @param {number} semitones */
export function moved(notes, ticks, semitones) {
  const first = notes.reduce((least, n) => Math.min(least, n.start), Infinity);
  const low = notes.reduce((least, n) => Math.min(least, n.pitch), HIGHEST);
  const high = notes.reduce((most, n) => Math.max(most, n.pitch), LOWEST);
  const by = Math.max(ticks, -first);
  const up = clamp(semitones, LOWEST - low, HIGHEST - high);
  return altered(notes, (n) => ({ start: n.start + by, end: n.end + by, pitch: n.pitch + up }));
}

/** Ends moved, each note at least `least` ticks long or as long as it was. @param {readonly Note[]} notes
 * @param {number} ticks @param {number} least */
export const lengthened = (notes, ticks, least) =>
  altered(notes, (n) => ({ end: Math.max(n.end + ticks, Math.min(n.end, n.start + least)) }));

/** Beginnings moved, the ends staying. @param {readonly Note[]} notes @param {number} ticks @param {number} least */
export const begunEarlier = (notes, ticks, least) =>
  altered(notes, (n) => ({ start: clamp(n.start + ticks, 0, Math.max(n.start, n.end - least)) }));

/** @param {readonly Note[]} notes @param {number} grid ticks @returns {Change} */
export function quantised(notes, grid) {
  const near = (/** @type {number} */ tick) => Math.round(tick / grid) * grid;
  return altered(notes, (n) => {
    const start = near(n.start);
    return { start, end: Math.max(near(n.end), start + grid) };
  });
}

/** Notes cut in two at a tick. @param {readonly Note[]} notes @param {number} tick @returns {Change} */
export function split(notes, tick) {
  const cut = notes.filter((n) => n.start < tick && tick < n.end);
  return {
    removed: cut,
    added: cut.flatMap((n) => [{ ...n, end: tick }, note(n.pitch, tick, n.end, n.velocity, n.by)]),
  };
}

/** Copies of notes, moved. @param {readonly Note[]} notes @param {number} ticks @returns {Change} */
export const copied = (notes, ticks) => ({
  removed: [],
  added: notes.map((n) => note(n.pitch, n.start + ticks, n.end + ticks, n.velocity, n.by)),
});

/** A change that also cuts or takes away notes of a pitch on which new ones fall. @param {Piece} piece
 * @param {Change} change @returns {Change} */
export function fitted(piece, change) {
  const own = new Set([...change.removed, ...change.added].map((n) => n.id));
  const removed = [...change.removed];
  const added = [...change.added];
  for (const n of change.added) {
    for (const other of sounding(piece, n.start, n.end)) {
      if (other.pitch !== n.pitch || own.has(other.id)) continue;
      own.add(other.id);
      removed.push(other);
      if (other.start < n.start) added.push({ ...other, end: n.start });
    }
  }
  return { ...change, removed, added };
}

/** As the server has it. @param {Piece} piece */
export const toWire = ({ notes, pedal, tempos, metres }) => ({
  notes: notes.map((n) => [n.pitch, n.start, n.end, n.velocity]),
  pedal,
  tempos,
  metres,
});
