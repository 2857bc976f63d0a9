// Draws the roll, its ruler, its keys and its lanes: what is in sight, when something has changed.

import { readPalette, sharp } from "./canvas.js";
import { barAt, bars, HIGHEST, isBlack, LOWEST, pitchName } from "./music.js";
import { element } from "./page.js";
import { sounding } from "./piece.js";
import { session, view } from "./studio.js";
/** @import { Note } from "./music.js" */

/** Notes in sight beyond which they are drawn as plain boxes. */
const MANY = 1500;

/** Touches that are told apart: the louder, the fuller the colour. */
const LOUDNESS = [0.5, 0.65, 0.82, 1];

/** Nats from which on a note is a little, rather and very unexpected, and how full the colour of each is. */
const UNEXPECTED = [3, 6, 9];
const SURPRISE = [0.18, 0.42, 0.7, 1];

/** @param {number} nats @returns {number} 0 to 3 */
const level = (nats) => UNEXPECTED.filter((least) => nats >= least).length;

const canvas = (/** @type {string} */ id) => element(id, HTMLCanvasElement);
export const canvases = {
  grid: canvas("grid"),
  over: canvas("over"),
  ruler: canvas("ruler"),
  chords: canvas("chord-lane"),
  keys: canvas("keys"),
  velocities: canvas("velocities"),
  pedals: canvas("pedals"),
};
export let palette = readPalette();
/** What a gesture or the player shows for the moment. */
export const moment = {
  /** @type {ReadonlyMap<number, Note>} notes as they would be */
  changed: new Map(),
  /** @type {{x0: number, y0: number, x1: number, y1: number} | null} */
  marquee: null,
  /** Whether the caret is shown. */
  caret: false,
  /** @type {Set<number>} keys that sound */
  pressed: new Set(),
};
/** What is to be drawn anew: what has changed itself, or where it is. */
let stale = { all: true, view: true, over: true, keys: true };
/** The part of the music that the canvases show. */
let shown = { left: NaN, scale: NaN, top: NaN, row: NaN, width: NaN, height: NaN };
let asked = false;

/** Draws everything anew, before the next frame. */
export function refresh() {
  stale.all = true;
  ask();
}

/** Draws what lies over the notes anew. */
export function refreshOver() {
  stale.over = true;
  ask();
}

/** Shows a key as pressed, or not. @param {number} pitch @param {boolean} on */
export function light(pitch, on) {
  if (on) moment.pressed.add(pitch);
  else moment.pressed.delete(pitch);
  stale.keys = true;
  ask();
}

/** Takes other colours. */
export function recolour() {
  palette = readPalette();
  refresh();
}

function ask() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
}

function draw() {
  const { all, over, keys } = stale;
  const moved = all || stale.view;
  const { left, scale, top, row, width, height } = view;
  const intime = all || left !== shown.left || scale !== shown.scale || width !== shown.width;
  const inpitch = all || top !== shown.top || row !== shown.row || height !== shown.height;
  stale = { all: false, view: false, over: false, keys: false };
  shown = { left, scale, top, row, width, height };
  if (all) view.end = session.end;
  if (moved) drawGrid();
  if (intime) {
    drawRuler();
    drawChords();
    drawVelocities();
    drawPedals();
  }
  if (moved || over) drawOver();
  if (inpitch || keys) drawKeys();
}

function drawGrid() {
  const { context, width, height } = cleared(canvases.grid, "paper");
  context.fillStyle = palette["row-dark"];
  for (let pitch = view.pitch(height); pitch <= view.pitch(0); pitch++) {
    if (isBlack(pitch)) context.fillRect(0, view.y(pitch), width, view.row);
  }
  context.fillStyle = palette["line-beat"];
  for (let pitch = LOWEST + 3; pitch <= HIGHEST; pitch += 12) {
    const y = Math.round(view.y(pitch) + view.row); // the line between a B and the C above
    if (y >= 0 && y <= height) context.fillRect(0, y - 0.5, width, 1);
  }
  drawTimes(context, 0, height, true);
  drawNotes(context);
}

/** @param {CanvasRenderingContext2D} context @param {number} y @param {number} height @param {boolean} fine */
function drawTimes(context, y, height, fine) {
  const { snap } = session;
  for (const bar of bars(session.piece.metres, view.left, view.right)) {
    const length = (bar.end - bar.begin) * view.scale;
    if (length < 5 && bar.number % 16 !== 1) continue;
    if (fine && snap > 1 && snap < bar.beat && snap * view.scale >= 8) {
      lines(context, bar.begin, bar.end, snap, palette["line-snap"], y, height);
    }
    if (bar.beat * view.scale >= 9) {
      lines(context, bar.begin, bar.end, bar.beat, palette["line-beat"], y, height);
    }
    context.fillStyle = palette["line-bar"];
    context.fillRect(Math.round(view.x(bar.begin)) - 0.5, y, 1, height);
  }
}

/** @param {CanvasRenderingContext2D} context @param {number} from @param {number} until @param {number} step
 * @param {string} colour @param {number} y @param {number} height */
function lines(context, from, until, step, colour, y, height) {
  context.fillStyle = colour;
  const first = from + step * Math.max(1, Math.floor((view.left - from) / step));
  for (let tick = first; tick < Math.min(until, view.right); tick += step) {
    context.fillRect(Math.round(view.x(tick)) - 0.5, y, 1, height);
  }
}

/** @param {CanvasRenderingContext2D} context */
function drawNotes(context) {
  const { surprises } = session;
  const seen = sounding(session.piece, view.left, view.right);
  const own = moment.changed.size
    ? [...seen.filter((n) => !moment.changed.has(n.id)), ...moment.changed.values()]
    : seen;
  /** @type {Map<string, Note[]>} by how they look */
  const looks = new Map();
  for (const n of own) {
    const loudness = surprises ? level(surprises.get(n.id) ?? 0) : Math.min(3, n.velocity >> 5);
    const state = session.replaced.has(n.id) ? "replaced" : session.selected.has(n.id) ? "selected" : surprises ? "surprise" : n.by ? "by" : "own";
    const look = `${state} ${loudness}`;
    const some = looks.get(look);
    if (some) some.push(n);
    else looks.set(look, [n]);
  }
  // With surprises the colour says how unexpected a note is, and nothing else.
  const colours = { surprise: palette.accent, own: palette.note, by: palette.accent, selected: palette.select, replaced: palette.muted };
  for (const [look, notes] of looks) {
    const [state, loudness] = look.split(" ");
    const shades = surprises ? SURPRISE : LOUDNESS;
    context.globalAlpha = state === "replaced" ? 0.18 : state === "selected" ? 1 : shades[Number(loudness)];
    context.fillStyle = colours[/** @type {keyof typeof colours} */ (state)];
    if (own.length > MANY) {
      plainBoxes(context, notes);
      continue;
    }
    boxes(context, notes);
    context.fill();
    if (state === "selected") {
      context.strokeStyle = palette.ink;
      context.lineWidth = 1.5;
      context.stroke();
    }
  }
  context.globalAlpha = 1;
  drawGhosts(context);
  drawNames(context, own);
}

/** @param {CanvasRenderingContext2D} context */
function drawGhosts(context) {
  const ghosts = session.ghosts.filter((n) => n.end > view.left && n.start < view.right);
  if (!ghosts.length) return;
  boxes(context, ghosts);
  context.fillStyle = palette["accent-soft"];
  context.fill();
  context.strokeStyle = palette.accent;
  context.lineWidth = 1.5;
  context.stroke();
}

/** Fills notes on whole pixels, which is fast. @param {CanvasRenderingContext2D} context
 * @param {readonly Note[]} notes */
function plainBoxes(context, notes) {
  const height = Math.max(2, Math.floor(view.row) - 1);
  /** @type {Map<number, number>} how far each row is filled */
  const filled = new Map();
  for (const n of notes) {
    const y = Math.round(view.y(n.pitch));
    if (y < -view.row || y > view.height) continue;
    const right = Math.round(view.x(n.end));
    const left = Math.max(Math.round(view.x(n.start)), filled.get(n.pitch) ?? -Infinity);
    if (right <= left) continue;
    context.fillRect(left, y, right - left, height);
    filled.set(n.pitch, right);
  }
}

/** Makes notes the path. @param {CanvasRenderingContext2D} context @param {readonly Note[]} notes */
function boxes(context, notes) {
  const height = view.row - 1;
  context.beginPath();
  for (const n of notes) {
    const y = view.y(n.pitch);
    if (y < -view.row || y > view.height) continue;
    const x = view.x(n.start);
    const width = Math.max(2, (n.end - n.start) * view.scale - 1);
    if (width < 5) context.rect(x, y + 0.5, width, height);
    else context.roundRect(x, y + 0.5, width, height, Math.min(3, height / 3));
  }
}

/** Names on notes that have room for one. @param {CanvasRenderingContext2D} context @param {readonly Note[]} notes */
function drawNames(context, notes) {
  if (view.row < 13 || notes.length > 400) return;
  const { surprises } = session;
  context.font = `${Math.min(11, view.row - 4)}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.fillStyle = palette.paper;
  for (const n of notes) {
    if ((n.end - n.start) * view.scale < 30 || session.replaced.has(n.id)) continue;
    const pale = surprises ? level(surprises.get(n.id) ?? 0) < 2 : n.velocity < 64;
    if (pale && !session.selected.has(n.id)) continue; // cannot be written on
    context.fillText(pitchName(n.pitch), Math.max(view.x(n.start), 0) + 4, view.y(n.pitch) + view.row / 2 + 0.5);
  }
}

function drawOver() {
  const { context, width, height } = sharp(canvases.over);
  context.clearRect(0, 0, width, height);
  if (session.loop) {
    const [from, until] = session.loop.map((tick) => view.x(tick));
    context.fillStyle = palette["line-snap"];
    if (from > 0) context.fillRect(0, 0, from, height);
    if (until < width) context.fillRect(until, 0, width - until, height);
  }
  if (moment.caret) {
    const { caret, length } = session;
    context.strokeStyle = palette.ink;
    context.lineWidth = 1.5;
    context.setLineDash([3, 2]);
    context.strokeRect(view.x(caret.tick), view.y(caret.pitch), Math.max(4, length * view.scale), view.row);
    context.setLineDash([]);
  }
  if (moment.marquee) {
    const { x0, y0, x1, y1 } = moment.marquee;
    context.fillStyle = palette["line-snap"];
    context.strokeStyle = palette.ink;
    context.lineWidth = 1;
    context.fillRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
    context.strokeRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
  }
  const x = Math.round(view.x(session.playhead));
  context.fillStyle = palette.ink;
  if (x >= -1 && x <= width) context.fillRect(x - 0.75, 0, 1.5, height);
}

/** A lane, empty. @param {HTMLCanvasElement} canvas @param {keyof typeof palette} [colour] */
function cleared(canvas, colour = "panel") {
  const lane = sharp(canvas);
  lane.context.fillStyle = palette[colour];
  lane.context.fillRect(0, 0, lane.width, lane.height);
  return lane;
}

function drawRuler() {
  const { context, height } = cleared(canvases.ruler);
  if (session.loop) {
    const [from, until] = session.loop.map((tick) => view.x(tick));
    context.fillStyle = palette["accent-soft"];
    context.fillRect(from, 0, until - from, height);
    context.fillStyle = palette.accent;
    context.fillRect(from, height - 3, until - from, 3);
  }
  drawTimes(context, height - 7, 7, false);
  drawLabels(context, height / 2 - 1);
}

/** What is to be harmonised with: the chords of a bar share it evenly, and after the last they begin again. */
function drawChords() {
  const { context, height } = cleared(canvases.chords);
  drawTimes(context, 0, height, false);
  const { text, begin, end } = session.chords;
  const words = text.split(text.includes("|") ? "|" : /\s+/).map((bar) => bar.trim().split(/\s+/)).filter(([first]) => first);
  if (!words.length) return;
  context.font = "600 11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = palette.accent;
  const first = barAt(session.piece.metres, begin).number;
  for (const bar of bars(session.piece.metres, Math.max(begin, view.left), Math.min(end, view.right))) {
    const chords = words[(bar.number - first) % words.length];
    const share = (bar.end - bar.begin) / chords.length;
    chords.forEach((chord, i) => context.fillText(chord, view.x(bar.begin + i * share) + 5, height / 2, share * view.scale - 6));
  }
}

/** Numbers of bars, and metres and tempos where they change, as far as there is room.
 * @param {CanvasRenderingContext2D} context @param {number} y */
function drawLabels(context, y) {
  const { tempos, metres } = session.piece;
  /** @type {{tick: number, text: string, changes: boolean}[]} */
  const labels = [...bars(metres, view.left, view.right)].map((bar) => ({ tick: bar.begin, text: String(bar.number), changes: false }));
  for (const [tick, beats, unit] of metres.slice(1)) labels.push({ tick, text: `${beats}/${unit}`, changes: true });
  if (tempos.length < 40) for (const [tick, qpm] of tempos.slice(1)) labels.push({ tick, text: `♩=${Math.round(qpm)}`, changes: true });
  context.textBaseline = "middle";
  let free = -Infinity;
  for (const { tick, text, changes } of labels.sort((a, b) => a.tick - b.tick)) {
    const place = view.x(tick) + 5;
    const x = changes ? Math.max(place, free) : place;
    if (x < free || x > place + 60) continue;
    context.font = `${changes ? "10px" : "600 11px"} system-ui, sans-serif`;
    context.fillStyle = changes ? palette.accent : palette.muted;
    context.fillText(text, x, y);
    free = x + context.measureText(text).width + 12;
  }
}

function drawKeys() {
  const { context, width, height } = cleared(canvases.keys, "key-white");
  context.font = `600 ${Math.min(11, view.row - 2)}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (let pitch = view.pitch(height); pitch <= view.pitch(0); pitch++) {
    const y = view.y(pitch);
    if (moment.pressed.has(pitch)) {
      context.fillStyle = palette.accent;
      context.fillRect(0, y, width, view.row);
    } else if (isBlack(pitch)) {
      context.fillStyle = palette["key-black"];
      context.fillRect(0, y, width * 0.62, view.row);
    }
    if ([0, 5].includes(pitch % 12)) {
      context.fillStyle = palette.line;
      context.fillRect(0, Math.round(y + view.row) - 0.5, width, 1);
    }
    if (pitch % 12 === 0 && view.row >= 9) {
      context.fillStyle = moment.pressed.has(pitch) ? palette.paper : palette["key-text"];
      context.fillText(pitchName(pitch), width - 25, y + view.row / 2 + 0.5);
    }
  }
}

function drawVelocities() {
  const { context, width, height } = cleared(canvases.velocities);
  drawTimes(context, 0, height, false);
  const own = sounding(session.piece, view.left, view.right).map((n) => moment.changed.get(n.id) ?? n);
  /** @type {Set<number>} columns with a line already: of very many notes one stands for its neighbours */
  const columns = new Set();
  for (const n of [...own.filter((one) => !session.replaced.has(one.id)), ...session.ghosts]) {
    const x = Math.round(view.x(n.start));
    if (x < -4 || x > width || (own.length > MANY && columns.has(x))) continue;
    columns.add(x);
    const y = Math.round((1 - n.velocity / 127) * (height - 6) + 3);
    context.fillStyle = session.selected.has(n.id) ? palette.select : n.by ? palette.accent : palette.note;
    context.fillRect(x, y, 2, height - y);
    if (own.length <= MANY) context.fillRect(x - 1, y - 1, 4, 4);
  }
}

function drawPedals() {
  const { context, width, height } = cleared(canvases.pedals);
  for (const [spans, colour] of /** @type {const} */ ([
    [session.piece.pedal, palette.note],
    [session.ghostPedal, palette.accent],
  ])) {
    context.fillStyle = colour;
    for (const [from, until] of spans) {
      const x = view.x(from);
      if (x > width || view.x(until) < 0) continue;
      context.globalAlpha = 0.55;
      context.fillRect(x, height / 2 - 2, Math.max(2, (until - from) * view.scale - 2), 5);
      context.globalAlpha = 1;
      context.fillRect(x, 3, 1.5, height - 6);
    }
  }
}

for (const signal of [session.pieceChanged, session.selectionChanged, session.ghostsChanged, session.settingsChanged]) signal.on(refresh);
session.playheadChanged.on(refreshOver);
view.changed.on(() => {
  stale.view = true;
  ask();
});
new ResizeObserver(() => view.resize(canvases.grid.clientWidth, canvases.grid.clientHeight)).observe(canvases.grid);
