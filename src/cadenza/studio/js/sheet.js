// The piece as sheet music: what is in sight of it is engraved by the server, passage by passage, and follows edits.

import { clamp } from "./music.js";
import { busy, element, later, make, told } from "./page.js";
import { apply, firstFrom, sounding, toWire } from "./piece.js";
import { engraved } from "./server.js";
import { session, touch, transport } from "./studio.js";
/** @import { Note } from "./music.js" */
/** @import { Engraved } from "./server.js" */

/**
 * A passage as it is shown. `look`: the piece, width and scale that it was engraved for; `first`: its first bar;
 * `heads`: what is drawn of each note, by its number.
 * @typedef {{box: HTMLElement, look: string, first: number, heads: Map<number, Element[]>}} Passage
 */

/** Milliseconds after a change until it is engraved anew. */
const PAUSE = 250;
/** Pixels above and below what is in sight that are engraved too. */
const AROUND = 300;
/** Ticks from where a note is played that it may be written at. */
const AWAY = 480;
/** What a drawing consists of: nothing that could act or ask for anything. */
const DRAWN = new Set(["svg", "g", "defs", "path", "use", "rect", "ellipse", "polygon", "polyline", "text", "tspan"]);

export let on = false;
const place = element("score", HTMLElement);
const line = make("div", { class: "line-here" });
let scale = 40;
/** @type {Passage[]} */
let passages = [];
/** Ticks at which bars begin, and at which the last one ends. @type {number[]} */
let lines = [];
/** Bars of a passage. */
let length = Infinity;
/** What is written: the piece, with the take that is shown. */
let { piece } = session;
/** Counts its changes, so that what is out of date can be told. */
let edition = 0;
/** The take that is shown, by the numbers of its notes. */
let take = "";
/** What could not be engraved. */
let failed = "";
let engraving = false;
/** Whether the sheet is to be turned to the playhead once that is engraved. */
let awaited = false;
/** @type {Record<string, Element[]>} by class */
const marked = {};

/** Shows the sheet in place of the roll, or the roll again. */
export function toggle() {
  on = !on;
  failed = "";
  place.hidden = !on;
  place.parentElement?.classList.toggle("engraved", on);
  (on ? place : element("over", HTMLElement)).focus({ preventScroll: true });
  turn();
  engrave();
}

/** Makes staves larger or smaller. @param {number} factor */
export function zoom(factor) {
  scale = clamp(Math.round(scale * factor), 20, 120);
  engrave();
}

const width = () => clamp(place.clientWidth, 200, 8000);

/** What a passage is to look like, in a word. */
const look = () => `${edition} ${width()} ${scale}`;

/** Engraves what is in sight and out of date, one passage after the other. */
async function engrave() {
  if (!on || engraving) return;
  engraving = true;
  let asked = look();
  try {
    for (let tick = wanted(); tick !== null; tick = wanted()) {
      const sent = piece;
      asked = look();
      const got = await busy("Engraving …", engraved({ piece: toWire(sent), tick, width: width(), scale }));
      if (sent === piece) show(got, asked); // else it is out of date
    }
  } catch (error) {
    failed = asked;
    if (asked === look()) clear(told(error));
  }
  engraving = false;
  if (failed === asked && asked !== look()) engrave(); // what was refused is no longer what is asked
}

/** The tick from which on something is to be engraved first. @returns {number | null} */
function wanted() {
  if (!on || failed === look()) return null;
  if (!piece.notes.length) {
    clear("Nothing is written yet.");
    return null;
  }
  if (!passages.length) return session.selection[0]?.start ?? session.playhead;
  const sight = place.getBoundingClientRect();
  const stale = passages.findIndex(({ box, look: shown }) => {
    const { top, bottom } = box.getBoundingClientRect();
    return shown !== look() && bottom > sight.top - AROUND && top < sight.bottom + AROUND;
  });
  return lines[stale * length] ?? null;
}

/** @param {string} text that stands in place of the sheet */
function clear(text) {
  passages = [];
  place.replaceChildren(make("p", { class: "muted" }, text));
}

/** Shows a passage. @param {Engraved} got @param {string} asked how it is to look */
function show(got, asked) {
  const begins = !passages.length;
  if (begins) place.replaceChildren(line);
  ({ lines, length } = got);
  const svg = drawing(got.svg);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Bars ${got.first + 1} to ${got.first + got.bars}`);
  while (passages.length > Math.ceil((lines.length - 1) / length)) passages.pop()?.box.remove();
  while (passages.length < (lines.length - 1) / length) {
    const box = make("div", { class: "passage" });
    box.style.minHeight = svg.getAttribute("height") ?? ""; // until it is engraved itself
    place.append(box);
    passages.push({ box, look: "", first: passages.length * length, heads: new Map() });
  }
  const passage = passages[got.first / length];
  passage.look = asked;
  passage.heads = Map.groupBy(svg.querySelectorAll("g.note"), (head) => noteOf(head)?.id ?? 0);
  passage.box.style.minHeight = "";
  passage.box.replaceChildren(svg);
  mark("selected", session.selected);
  mark("take", session.ghosts.map((n) => n.id));
  if (begins) turn();
  else showPlayhead(false);
}

/** Turns the sheet to what is selected, or else to the playhead. */
function turn() {
  showPlayhead(!session.selected.size);
  marked.selected?.[0]?.scrollIntoView({ block: "nearest" });
}

/** What an SVG document draws. @param {string} text */
function drawing(text) {
  const { documentElement: svg } = new DOMParser().parseFromString(text, "image/svg+xml");
  if (svg.localName !== "svg") throw new TypeError("The server sent no sheet music.");
  for (const node of [svg, ...svg.querySelectorAll("*")]) {
    if (!DRAWN.has(node.localName)) node.remove();
    for (const { name, value } of [...node.attributes]) {
      if (/^(on|style$)/.test(name) || (name.endsWith("href") && !value.startsWith("#"))) node.removeAttribute(name);
    }
  }
  return document.adoptNode(svg);
}

/** What the name of a head says: its key, and the ticks at which its note begins and it is written.
 * @param {Element} head */
const named = (head) => head.id.slice(1).split("-").map(Number);

/** The note that a head writes. @param {Element} head */
function noteOf(head) {
  const { notes } = piece;
  const [pitch, onset] = named(head);
  const far = (/** @type {Note} */ n) => Math.abs(n.start - onset);
  const near = notes.slice(firstFrom(notes, onset - AWAY), firstFrom(notes, onset + AWAY));
  return near.filter((n) => n.pitch === pitch).sort((a, b) => far(a) - far(b))[0];
}

/** Marks the heads of notes, and no others. @param {string} name @param {Iterable<number>} ids */
function mark(name, ids) {
  for (const head of marked[name] ?? []) head.classList.remove(name);
  marked[name] = [...ids].flatMap((id) => passages.flatMap(({ heads }) => heads.get(id) ?? []));
  for (const head of marked[name]) head.classList.add(name);
}

/** Marks what sounds and where that is. @param {boolean} [follow] whether the sheet is turned to it */
function showPlayhead(follow = true) {
  if (!on) return;
  const tick = session.playhead;
  mark("sounding", transport.playing ? sounding(piece, tick, tick + 1).map((n) => n.id) : []);
  const spot = spotOf(tick);
  line.hidden = !spot;
  if (!spot) {
    awaited ||= follow;
    if (follow) passages[Math.floor(barOf(tick) / length)]?.box.scrollIntoView();
    return;
  }
  line.style.left = `${spot.x}px`;
  line.style.top = `${spot.top}px`;
  line.style.height = `${spot.height}px`;
  const { scrollTop, clientHeight } = place;
  if ((follow || awaited) && (spot.top < scrollTop || spot.top + spot.height > scrollTop + clientHeight)) place.scrollTop = spot.top - 40;
  awaited = false;
}

/** @param {number} tick @returns {number} the index of its bar */
const barOf = (tick) => Math.max(0, lines.slice(0, -1).findLastIndex((begin) => begin <= tick));

/** Where on the sheet a tick is, between what is written before and after it; null where that is not engraved.
 * @param {number} tick */
function spotOf(tick) {
  const bar = barOf(tick);
  const passage = passages[Math.floor(bar / length)];
  const measure = passage?.box.querySelectorAll("g.measure")[bar - passage.first];
  const staves = measure?.querySelectorAll("g.staff > path");
  if (!measure || !staves?.length) return null;
  const { left, top } = place.getBoundingClientRect();
  const first = staves[0].getBoundingClientRect();
  const last = staves[staves.length - 1].getBoundingClientRect();
  const heads = [...measure.querySelectorAll("g.note")].map((head) => [named(head)[2], head.getBoundingClientRect().left]);
  let [from, x] = [lines[bar], first.left];
  for (const [at, there] of [...heads, [lines[bar + 1], first.right]].sort((a, b) => a[0] - b[0])) {
    if (at > tick) {
      x += ((there - x) * Math.max(0, tick - from)) / (at - from);
      break;
    }
    [from, x] = [at, there];
  }
  return { x: x - left + place.scrollLeft, top: first.top - top + place.scrollTop, height: last.bottom - first.top };
}

place.onclick = (event) => {
  const head = event.target instanceof Element ? event.target.closest("g.note") : null;
  const n = head && noteOf(head);
  if (n) touch(n.pitch, n.velocity);
  if (!n || session.ghosts.includes(n)) return session.select([]);
  session.select(event.shiftKey || event.ctrlKey || event.metaKey ? [...session.selected, n.id] : [n.id]);
};
const soon = later(engrave, PAUSE);
place.onscroll = soon;
new ResizeObserver(soon).observe(place);
function changed() {
  const { ghosts, pedal, replaced } = session;
  const removed = session.piece.notes.filter((n) => replaced.has(n.id));
  piece = ghosts.length ? { ...apply(session.piece, { removed, added: ghosts }), pedal } : session.piece;
  edition++;
  if (!passages.length) clear(""); // what it says was said of another piece
  soon();
}
session.pieceChanged.on(changed);
session.ghostsChanged.on(() => {
  const now = session.ghosts.map((n) => n.id).join();
  if (now !== take) changed(); // not where another take comes
  take = now;
});
session.selectionChanged.on(() => {
  mark("selected", session.selected);
  marked.selected[0]?.scrollIntoView({ block: "nearest" });
});
session.playheadChanged.on(() => showPlayhead());
transport.changed.on(() => showPlayhead(false));
