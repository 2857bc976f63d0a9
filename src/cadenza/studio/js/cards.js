// The takes as cards: what has come of each, to listen to, to keep or to discard.

import { sharp } from "./canvas.js";
import { barAt } from "./music.js";
import { element, make } from "./page.js";
import { canvases, palette } from "./roll.js";
import { session, takes, transport } from "./studio.js";
/** @import { Note } from "./music.js" */

/** A small picture of notes. @param {HTMLCanvasElement} canvas @param {readonly Note[]} notes */
export function thumbnail(canvas, notes) {
  const { context, width, height } = sharp(canvas);
  context.clearRect(0, 0, width, height);
  if (!notes.length) return;
  const first = Math.min(...notes.map((n) => n.start));
  const last = Math.max(...notes.map((n) => n.end));
  const low = Math.min(...notes.map((n) => n.pitch));
  const high = Math.max(...notes.map((n) => n.pitch), low + 16);
  const row = (height - 6) / (high - low + 1);
  for (const n of notes) {
    context.fillStyle = n.by ? palette.accent : palette.note;
    const x = 3 + ((n.start - first) / (last - first)) * (width - 6);
    const long = Math.max(1.5, ((n.end - n.start) / (last - first)) * (width - 6) - 0.5);
    context.fillRect(x, 3 + (high - n.pitch) * row, long, Math.max(1.5, row - 0.5));
  }
}

const list = element("takes", HTMLElement);
/** What the cards were made for. */
let shape = "";

/** Plays a take from the bar before it on. @param {number} number */
export function listen(number) {
  takes.choose(number);
  transport.play(barAt(session.piece.metres, Math.max(0, takes.begin - 1)).begin);
}

export function keep() {
  takes.keep();
  canvases.over.focus({ preventScroll: true });
}

function draw() {
  // While notes come, only figures and pictures change: a card that is just being clicked stays.
  const now = JSON.stringify([takes.takes.map((t) => [t.done, t.notes.size > 0]), takes.chosen, takes.running, takes.error, takes.before, takes.latency]);
  if (now !== shape) arrange();
  shape = now;
  redraw();
}

/** Makes the cards and what is told about them anew. */
function arrange() {
  if (!takes.takes.length && !takes.error) return list.replaceChildren();
  const focused = document.activeElement instanceof HTMLElement && list.contains(document.activeElement) ? document.activeElement.dataset.act : "";
  const header = make("header", {}, make("b", {}, takes.takes.length > 1 ? "Takes" : "Take"));
  if (takes.latency >= 0) header.append(make("span", { class: "muted" }, `first note after ${Math.round(takes.latency)} ms`));
  list.replaceChildren(header, ...takes.takes.map((_, i) => card(i)), ...remarks(), choices());
  if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`[data-act="${focused}"]`))?.focus();
}

/** How far it is, what went wrong, and what there is to say of the chosen take. */
function remarks() {
  const told = [];
  if (takes.running) told.push(make("div", { class: "progress", role: "progressbar", "aria-label": takes.before ? "Waiting" : "Composing" }));
  if (takes.running && takes.before && takes.latency < 0) told.push(make("p", { class: "muted" }, `Waiting for ${takes.before} before this one.`));
  if (takes.error) told.push(make("p", { class: "error", role: "alert" }, takes.error));
  for (const remark of takes.takes[takes.chosen]?.remarks ?? []) told.push(make("p", { class: "muted" }, `${remark.charAt(0).toUpperCase()}${remark.slice(1)}.`));
  return told;
}

function choices() {
  const row = make("div", { class: "row" });
  if (takes.any) row.append(button("keep", takes.takes.length > 1 ? `Keep take ${takes.chosen + 1}` : "Keep", keep, "primary"));
  if (takes.running) row.append(button("stop", "Stop", () => takes.cancel()));
  else row.append(button("drop", takes.any ? "Discard" : "Close", () => takes.discard()));
  return row;
}

/** @param {number} i */
function card(i) {
  const card = make(
    "button",
    { type: "button", class: "take", "aria-pressed": String(i === takes.chosen) },
    make("b", {}, `Take ${i + 1}`),
    make("small"),
    make("canvas", { "aria-hidden": "true" }),
  );
  card.dataset.act = `take ${i}`;
  card.onclick = () => listen(i);
  return card;
}

/** Brings what the cards show up to date. */
function redraw() {
  list.querySelectorAll(".take").forEach((card, i) => {
    const { notes, done, style } = takes.takes[i];
    const state = done ? `${notes.size} notes` : notes.size ? `${notes.size} notes …` : "to come";
    const [, small, canvas] = card.children;
    small.textContent = [state, style].filter(Boolean).join(", ");
    if (canvas instanceof HTMLCanvasElement) thumbnail(canvas, [...notes.values()]);
  });
}

/** @param {string} act @param {string} title @param {() => void} run @param {string} [look] */
function button(act, title, run, look = "") {
  const button = make("button", { type: "button", class: look }, title);
  button.dataset.act = act;
  button.onclick = run;
  return button;
}

takes.changed.on(draw);
