// Mouse, pen and fingers on the roll: drawing, moving, resizing, marquee, splitting, scrolling and pinching.

import { clamp, TICKS } from "./music.js";
import { altered, begunEarlier, fitted, lengthened, moved, note, sounding, split } from "./piece.js";
import * as roll from "./roll.js";
import { session, touch, view } from "./studio.js";
/** @import { Note, Span } from "./music.js" */
/** @import { Change } from "./piece.js" */

/** Pixels at the ends of a note by which it is resized. */
const EDGE = 7;
/** Pixels that a pointer may tremble before it counts as moved. */
const TREMBLE = 4;

/** @typedef {{move(event: PointerEvent): void, end(event: PointerEvent): void, cancel(): void}} Gesture */

/**
 * What a drag on a canvas does, after it began: `move` on the way, `end` where the pointer is let go.
 * @param {HTMLCanvasElement} canvas
 * @param {{begin?(event: PointerEvent): void, move?(event: PointerEvent, from: number): void,
 *   end(from: number, until: number): void}} acts from, until: where it began and where it was last, in pixels
 */
export function drags(canvas, { begin, move, end }) {
  /** @type {{from: number, last: number} | null} in numbers, for events forget where they were */
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag = { from: event.offsetX, last: event.offsetX };
    begin?.(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.last = event.offsetX;
    move?.(event, drag.from);
  });
  for (const kind of /** @type {const} */ (["pointerup", "pointercancel"])) {
    canvas.addEventListener(kind, () => {
      if (drag) end(drag.from, drag.last);
      drag = null;
    });
  }
}

const { over, ruler, keys, velocities, pedals } = roll.canvases;

/** @type {Gesture | null} */
let gesture = null;
/** @type {Map<number, {x: number, y: number}>} where fingers touch */
const fingers = new Map();
/** @type {{distance: number, x: number, y: number} | null} */
let pinch = null;

/** The nearest line of the grid. @param {number} tick @param {boolean} [free] */
const snapped = (tick, free = false) => Math.round(free ? tick : Math.round(tick / session.snap) * session.snap);

/** The line of the grid before. @param {number} tick */
const lineBefore = (tick) => Math.max(0, Math.floor(tick / session.snap) * session.snap);

/** The note at a place, the one that began last. @param {number} x @param {number} y @returns {Note | undefined} */
function noteAt(x, y) {
  const tick = view.tick(x);
  const pitch = view.pitch(y);
  const reach = 2 / view.scale;
  return sounding(session.piece, tick - reach, tick + reach)
    .filter((n) => n.pitch === pitch)
    .at(-1);
}

/** @param {Note} n @param {number} x @returns {"start" | "end" | null} the end of a note that x is at */
function edgeAt(n, x) {
  const width = (n.end - n.start) * view.scale;
  const edge = Math.min(EDGE, width / 4);
  if (x > view.x(n.end) - edge) return "end";
  return x < view.x(n.start) + edge && width > 16 ? "start" : null;
}

/** @param {PointerEvent} event */
function down(event) {
  over.focus({ preventScroll: true });
  roll.moment.caret = false;
  if (event.pointerType === "touch") fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  if (fingers.size === 2) {
    gesture?.cancel();
    gesture = null;
    pinch = spread();
    return;
  }
  if (gesture || fingers.size > 2 || event.button === 1) return;
  over.setPointerCapture(event.pointerId);
  gesture = begin(event);
}

/** @param {PointerEvent} event @returns {Gesture | null} */
function begin(event) {
  const { offsetX: x, offsetY: y } = event;
  const hit = noteAt(x, y);
  if (session.tool === "erase" || event.button === 2) return erasing(hit);
  if (session.tool === "split") {
    if (hit) session.commit("Split", split([hit], clamp(snapped(view.tick(x)), hit.start + 1, hit.end - 1)));
    return null;
  }
  if (hit && (event.shiftKey || event.ctrlKey || event.metaKey)) {
    const chosen = new Set(session.selected);
    if (!chosen.delete(hit.id)) chosen.add(hit.id);
    session.select(chosen);
    return null;
  }
  if (hit) return handling(hit, event);
  if (session.tool === "draw" && !event.shiftKey) return drawing(event);
  return choosing(event);
}

/** Moves or resizes a note, with all that are selected where it is one of them.
 * @param {Note} hit @param {PointerEvent} event @returns {Gesture} */
function handling(hit, event) {
  if (!session.selected.has(hit.id)) session.select([hit.id]);
  session.set({ length: hit.end - hit.start, velocity: hit.velocity });
  touch(hit.pitch, hit.velocity);
  const edge = edgeAt(hit, event.offsetX);
  const notes = session.selection;
  const x0 = event.offsetX;
  const y0 = event.offsetY;
  const least = Math.max(1, session.snap);
  let heard = hit.pitch;
  /** @type {Change | null} */
  let change = null;
  return {
    move: (now) => {
      const dx = now.offsetX - x0;
      const dy = now.offsetY - y0;
      if (!change && Math.hypot(dx, dy) < TREMBLE) return;
      const ticks = dx / view.scale;
      if (edge === "end") {
        change = lengthened(notes, snapped(hit.end + ticks, now.altKey) - hit.end, least);
      } else if (edge === "start") {
        change = begunEarlier(notes, snapped(hit.start + ticks, now.altKey) - hit.start, least);
      } else {
        const semitones = view.pitch(now.offsetY) - view.pitch(y0);
        change = moved(notes, snapped(hit.start + ticks, now.altKey) - hit.start, semitones);
        const pitch = change.added.find((n) => n.id === hit.id)?.pitch ?? heard;
        if (pitch !== heard) touch(pitch, hit.velocity);
        heard = pitch;
      }
      preview(change.added);
    },
    end: () => {
      preview([]);
      if (change) session.commit(edge ? "Resize" : "Move", fitted(session.piece, change));
    },
    cancel: () => preview([]),
  };
}

/** Draws a note as long as the pointer is drawn. @param {PointerEvent} event @returns {Gesture} */
function drawing(event) {
  const { offsetX: x0 } = event;
  const start = lineBefore(view.tick(x0));
  const pitch = view.pitch(event.offsetY);
  const usual = Math.max(session.length, 1);
  let drawn = note(pitch, start, start + usual, session.velocity);
  touch(pitch, session.velocity);
  session.select([]);
  preview([drawn]);
  return {
    move: (now) => {
      if (Math.abs(now.offsetX - x0) < TREMBLE) return;
      const end = snapped(view.tick(now.offsetX) + session.snap / 2, now.altKey);
      drawn = { ...drawn, end: Math.max(end, start + Math.max(1, Math.min(session.snap, usual))) };
      preview([drawn]);
    },
    end: () => {
      preview([]);
      session.set({ length: drawn.end - drawn.start });
      session.commit("Draw", fitted(session.piece, { removed: [], added: [drawn] }));
      session.select([drawn.id]);
    },
    cancel: () => preview([]),
  };
}

/** Shows notes as they would be. @param {Iterable<Note>} notes */
function preview(notes) {
  roll.moment.changed = new Map([...notes].map((n) => [n.id, n]));
  roll.refresh();
}

/** Selects what a frame touches. @param {PointerEvent} event @returns {Gesture} */
function choosing(event) {
  const before = event.shiftKey ? session.selected : new Set();
  const frame = { x0: event.offsetX, y0: event.offsetY, x1: event.offsetX, y1: event.offsetY };
  session.set({ caret: { tick: lineBefore(view.tick(event.offsetX)), pitch: view.pitch(event.offsetY) } });
  session.select(before);
  const done = () => {
    roll.moment.marquee = null;
    roll.refreshOver();
  };
  return {
    move: (now) => {
      frame.x1 = now.offsetX;
      frame.y1 = now.offsetY;
      const [left, right] = [frame.x0, frame.x1].sort((a, b) => a - b);
      const [top, bottom] = [frame.y0, frame.y1].sort((a, b) => a - b);
      const inside = sounding(session.piece, view.tick(left), view.tick(right)).filter(
        (n) => n.pitch <= view.pitch(top) && n.pitch >= view.pitch(bottom),
      );
      roll.moment.marquee = frame;
      session.select([...before, ...inside.map((n) => n.id)]);
    },
    end: done,
    cancel: done,
  };
}

/** Takes away what the pointer is drawn over. @param {Note | undefined} first @returns {Gesture} */
function erasing(first) {
  /** @type {Map<number, Note>} */
  const gone = new Map();
  const erase = (/** @type {Note | undefined} */ n) => {
    if (!n || gone.has(n.id)) return;
    gone.set(n.id, n);
    session.setGhosts([], [], gone.keys());
  };
  erase(first);
  const done = () => session.setGhosts([], [], []);
  return {
    move: (event) => erase(noteAt(event.offsetX, event.offsetY)),
    end: () => {
      done();
      session.commit("Delete", { removed: [...gone.values()], added: [] });
    },
    cancel: done,
  };
}

/** @param {PointerEvent} event */
function move(event) {
  if (fingers.has(event.pointerId)) fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  if (pinch) return pinched();
  if (gesture) return gesture.move(event);
  if (event.pointerType !== "touch") point(event);
}

/** Shows by its form what the pointer would do. @param {PointerEvent} event */
function point(event) {
  const hit = noteAt(event.offsetX, event.offsetY);
  const { tool } = session;
  const cursor = hit ? (edgeAt(hit, event.offsetX) ? "ew-resize" : "move") : tool === "draw" ? "crosshair" : "default";
  over.style.cursor = tool === "split" ? "col-resize" : tool === "erase" ? "not-allowed" : cursor;
}

/** @param {PointerEvent} event @param {boolean} [cancelled] */
function up(event, cancelled = false) {
  fingers.delete(event.pointerId);
  if (pinch) {
    if (!fingers.size) pinch = null;
    return;
  }
  const ended = gesture;
  gesture = null;
  if (cancelled) ended?.cancel();
  else ended?.end(event);
}

/** How far two fingers are from each other, and where their middle is. */
function spread() {
  const [a, b] = [...fingers.values()];
  return { distance: Math.max(20, Math.hypot(a.x - b.x, a.y - b.y)), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function pinched() {
  if (fingers.size < 2 || !pinch) return;
  const now = spread();
  view.zoomTime(now.distance / pinch.distance, now.x);
  view.scroll(pinch.x - now.x, pinch.y - now.y);
  pinch = now;
}

/** @param {WheelEvent} event */
function wheel(event) {
  event.preventDefault();
  const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
  const dx = event.deltaX * unit;
  const dy = event.deltaY * unit;
  if (event.ctrlKey || event.metaKey) view.zoomTime(Math.exp(-dy / 300), event.offsetX);
  else if (event.altKey) view.zoomPitch(Math.exp(-dy / 300), event.offsetY);
  else if (event.shiftKey || event.currentTarget === ruler) view.scroll(dx || dy, 0);
  else view.scroll(dx, dy);
}

/** A click sets the playhead, a drag the loop. */
function onRuler() {
  const beat = (/** @type {number} */ x) => Math.max(0, snapped(view.tick(x)));
  const bar = (/** @type {number} */ x) => Math.max(0, Math.round(view.tick(x) / TICKS) * TICKS);
  const still = (/** @type {number} */ from, /** @type {number} */ until) => Math.abs(until - from) < 2 * TREMBLE;
  drags(ruler, {
    move: (event, from) => {
      if (still(from, event.offsetX)) return;
      const [begin, end] = [bar(from), bar(event.offsetX)].sort((a, b) => a - b);
      session.set({ loop: end > begin ? [begin, end] : null });
    },
    end: (from, until) => {
      if (still(from, until)) session.setPlayhead(beat(until), true);
    },
  });
}

/** A drag sets how loud the notes are that it passes, or all that are selected. */
function onVelocities() {
  /** @type {Map<number, Note>} */
  const changed = new Map();
  let last = 0;
  const pass = (/** @type {PointerEvent} */ event) => {
    const velocity = clamp(Math.round(127 * (1 - (event.offsetY - 3) / (velocities.clientHeight - 6))), 1, 127);
    const [from, until] = [last, event.offsetX].sort((a, b) => a - b);
    const [first, end] = [view.tick(from - 4), view.tick(until + 4)];
    const passed = sounding(session.piece, first, end).filter((n) => first <= n.start && n.start <= end);
    const some = passed.some((n) => session.selected.has(n.id));
    for (const n of passed) {
      if (!some || session.selected.has(n.id)) changed.set(n.id, { ...n, velocity });
    }
    last = event.offsetX;
    preview(changed.values());
  };
  drags(velocities, {
    begin: (event) => {
      last = event.offsetX;
      pass(event);
    },
    move: pass,
    end: () => {
      const notes = session.piece.notes.filter((n) => changed.has(n.id));
      session.commit("Velocity", altered(notes, (n) => ({ velocity: changed.get(n.id)?.velocity ?? n.velocity })));
      changed.clear();
      preview([]);
    },
  });
}

/** A drag presses the pedal for so long; a click lifts it where it is down. */
function onPedals() {
  drags(pedals, {
    end: (from, until) => {
      const [begin, end] = [from, until].map((x) => Math.max(0, snapped(view.tick(x)))).sort((a, b) => a - b);
      const { pedal } = session.piece;
      const here = view.tick(from);
      if (end <= begin) return press(pedal.filter(([a, b]) => here < a || here > b));
      const others = pedal.filter(([a, b]) => b < begin || a > end);
      const touched = [...pedal.filter(([a, b]) => b >= begin && a <= end), [begin, end]];
      press([...others, [Math.min(...touched.map(([a]) => a)), Math.max(...touched.map(([, b]) => b))]]);
    },
  });
}

/** @param {readonly Span[]} spans */
function press(spans) {
  const pedal = [...spans].sort((a, b) => a[0] - b[0]);
  if (pedal.length === session.piece.pedal.length && pedal.every((span, i) => span === session.piece.pedal[i])) return;
  session.commit("Pedal", { removed: [], added: [], before: { pedal: session.piece.pedal }, after: { pedal } });
}

over.addEventListener("pointerdown", down);
over.addEventListener("pointermove", move);
over.addEventListener("pointerup", (event) => up(event));
over.addEventListener("pointercancel", (event) => up(event, true));
over.addEventListener("contextmenu", (event) => event.preventDefault());
for (const canvas of [over, ruler, keys]) canvas.addEventListener("wheel", wheel, { passive: false });
onRuler();
onVelocities();
onPedals();
