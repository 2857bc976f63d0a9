// Puts the studio together.

import * as answerer from "./answer.js";
import { keep, listen, thumbnail } from "./cards.js";
import { Commands, shownKey } from "./commands.js";
import { edits } from "./edits.js";
import { EXAMPLES } from "./examples.js";
import { dragsOut, exportPiece, opened } from "./files.js";
import { drags } from "./gestures.js";
import * as keyboard from "./keyboard.js";
import * as library from "./library.js";
import * as midi from "./midi.js";
import { barAt, clamp, HIGHEST, LOWEST, minutes, place, SNAPS, TICKS, Clock } from "./music.js";
import { busy, element, make, offer, say, show, showStatus, tell, told, tried } from "./page.js";
import * as panel from "./panel.js";
import { framed, note } from "./piece.js";
import * as recorder from "./recorder.js";
import { look } from "./resemblance.js";
import * as roll from "./roll.js";
import { abilities, alive } from "./server.js";
import { live, piano, session, takes, transport, view } from "./studio.js";
import * as sheet from "./sheet.js";
import * as surprises from "./surprise.js";
import "./tree.js";
/** @import { Example } from "./examples.js" */
/** @import { Span } from "./music.js" */
/** @import { Tool } from "./session.js" */

/** Milliseconds between two questions whether the server is there again. */
const RETRY = 2000;

takes.started.on(() => {
  if (answerer.on || !panel.hear()) return;
  if (!transport.playing) listen(takes.chosen);
});
takes.ended.on(() => {
  panel.nextSeed();
  if (takes.error) watch();
  const pitches = session.ghosts.map((n) => n.pitch);
  view.showKeys(Math.min(...pitches), Math.max(...pitches));
  if (takes.any) say(takes.takes.length === 1 ? "A take is there." : `${takes.takes.length} takes are there.`);
});

// --- Commands --------------------------------------------------------------------------------------------------

const dialogs = {
  sheet: element("sheet", HTMLDialogElement),
  pieces: element("pieces-sheet", HTMLDialogElement),
  midi: element("midi-sheet", HTMLDialogElement),
};
const picker = element("file", HTMLInputElement);

/** A loop around what is selected, or the bar of the playhead; none where there is one. */
function loop() {
  if (session.loop) return session.set({ loop: null });
  const notes = session.selection;
  const first = notes.length ? Math.min(...notes.map((n) => n.start)) : session.playhead;
  const last = notes.length ? Math.max(...notes.map((n) => n.end)) : session.playhead + 1;
  const { metres } = session.piece;
  session.set({ loop: [barAt(metres, first).begin, barAt(metres, last - 1).end] });
}

function togglePlay() {
  if (answerer.on) answerer.stop();
  else if (transport.playing) transport.stop();
  else transport.play(session.playhead >= session.end ? 0 : undefined);
}

/** @param {number} tick */
function jump(tick) {
  const wasPlaying = transport.playing;
  transport.stop();
  session.setPlayhead(tick, true);
  view.reveal(tick, view.pitch(view.height / 2));
  if (wasPlaying) transport.play();
}

function fit() {
  const { notes } = session.piece;
  const low = notes.reduce((least, n) => Math.min(least, n.pitch), notes.length ? HIGHEST : 48);
  const high = notes.reduce((most, n) => Math.max(most, n.pitch), notes.length ? LOWEST : 72);
  view.fit(0, Math.max(session.end, 4 * 4 * TICKS), low, high);
}

/** @param {number} factor */
const zoom = (factor) => (sheet.on ? sheet.zoom(factor) : view.zoomTime(factor, view.width / 2));

function theme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  tried(() => localStorage.setItem("theme", root.dataset.theme ?? ""));
  roll.recolour();
  drawExamples();
}

const tool = (/** @type {Tool} */ name, /** @type {string} */ title, /** @type {string} */ key) => ({
  id: `tool-${name}`,
  title,
  group: "Tools",
  keys: [key],
  run: () => session.set({ tool: name }),
  pressed: () => session.tool === name,
});

const commands = new Commands([
  { id: "play", title: "Play, or stop", group: "Playing", keys: ["Space"], run: togglePlay, pressed: () => transport.playing },
  { id: "record", title: "Record what you play", group: "Playing", keys: ["r"], run: () => (recorder.recording() ? transport.stop() : recorder.begin()), pressed: recorder.recording },
  { id: "rewind", title: "To the beginning", group: "Playing", keys: ["Home"], run: () => jump(session.loop?.[0] ?? 0) },
  { id: "end", title: "To the end", group: "Playing", keys: ["End"], run: () => jump(session.end) },
  { id: "bar-back", title: "A bar back", group: "Playing", keys: ["PageUp"], run: () => jump(barAt(session.piece.metres, Math.max(0, session.playhead - 1)).begin) },
  { id: "bar-on", title: "A bar on", group: "Playing", keys: ["PageDown"], run: () => jump(barAt(session.piece.metres, session.playhead).end) },
  { id: "loop", title: "Loop the selection, or this bar", group: "Playing", keys: ["l"], run: loop, pressed: () => session.loop !== null },
  { id: "metronome", title: "Metronome", group: "Playing", keys: ["m"], run: () => (transport.clicking = !transport.clicking), pressed: () => transport.clicking },
  ...[["continue", "Continue", "c"], ["redo", "Re-do the selection", "y"], ["vary", "Vary the selection", "u"]].map(([id, title, key]) => ({
    id,
    title,
    group: "Write together",
    keys: [key],
    refusal: () => panel.refusal(id),
    run: () => panel.ask(id),
  })),
  { id: "answer", title: "Answer me", group: "Write together", keys: ["a"], refusal: () => panel.inability("continue"), run: () => (answerer.on ? answerer.stop() : answerer.begin()), pressed: () => answerer.on },
  ...[1, 2, 3, 4].map((n) => ({ id: `take-${n}`, title: `Listen to take ${n}`, group: "Write together", keys: [String(n)], refusal: () => (takes.takes.length >= n ? "" : "There is no such take."), run: () => listen(n - 1) })),
  { id: "keep", title: "Keep the take", group: "Write together", keys: ["k"], refusal: () => (takes.any ? "" : "There is no take to keep."), run: keep },
  { id: "stop-composing", title: "Stop composing, or discard the takes", group: "Write together", keys: ["Shift+Escape"], run: () => (takes.running ? takes.cancel() : takes.discard()) },
  { id: "undo", title: "Undo", group: "History", keys: ["Mod+z"], refusal: () => (session.history.undoable ? "" : "Nothing to undo."), run: () => session.undo() },
  { id: "redo", title: "Do again", group: "History", keys: ["Mod+Shift+z", "Mod+y"], refusal: () => (session.history.redoable ? "" : "Nothing to do again."), run: () => session.redo() },
  ...edits,
  tool("draw", "Draw notes", "d"),
  tool("select", "Select notes", "v"),
  tool("split", "Split notes", "x"),
  tool("erase", "Erase notes", "e"),
  { id: "zoom-in", title: "Zoom in", group: "View", keys: ["+", "="], run: () => zoom(1.25) },
  { id: "zoom-out", title: "Zoom out", group: "View", keys: ["-"], run: () => zoom(0.8) },
  { id: "zoom-taller", title: "Taller rows", group: "View", keys: ["Alt++", "Alt+="], run: () => view.zoomPitch(1.2, view.height / 2) },
  { id: "zoom-flatter", title: "Flatter rows", group: "View", keys: ["Alt+-"], run: () => view.zoomPitch(0.83, view.height / 2) },
  { id: "zoom-fit", title: "Show everything", group: "View", keys: ["f"], run: fit },
  { id: "keyboard", title: "Keyboard on the page", group: "Playing", keys: ["b"], run: keyboard.toggle, pressed: keyboard.shown },
  { id: "typing", title: "Type to play: A is C, W the black key above; Z and X change the octave", group: "Playing", keys: ["t"], run: () => keyboard.setTyping(!keyboard.typing), pressed: () => keyboard.typing },
  { id: "midi", title: "MIDI keyboards and instruments", group: "Playing", keys: ["i"], run: () => midi.open(dialogs.midi) },
  { id: "open", title: "Open a MIDI file", group: "Files", keys: ["Mod+o"], run: () => picker.click() },
  { id: "export-midi", title: "Export as a MIDI file", group: "Files", keys: ["Mod+s"], run: () => exportPiece("midi") },
  { id: "export-wav", title: "Export as sound (WAV)", group: "Files", keys: ["Mod+Shift+s"], run: () => exportPiece("wav") },
  { id: "export-musicxml", title: "Export as sheet music (MusicXML)", group: "Files", keys: [], refusal: panel.noSheet, run: () => exportPiece("musicxml") },
  { id: "export-svg", title: "Export as engraved sheet music (SVG)", group: "Files", keys: [], refusal: panel.noSheet, run: () => exportPiece("svg") },
  { id: "pieces", title: "Pieces", group: "Files", keys: ["p"], run: () => library.shelf(dialogs.pieces) },
  { id: "sheet", title: "Sheet music", group: "View", keys: ["g"], refusal: panel.noSheet, run: sheet.toggle, pressed: () => sheet.on },
  { id: "surprise", title: "Colour notes by how unexpected they are", group: "View", keys: ["h"], run: surprises.toggle, pressed: () => surprises.on },
  { id: "resemblance", title: "Say which passage of other music the selection, or all, resembles", group: "View", keys: [], run: look },
  { id: "theme", title: "Light or dark", group: "View", keys: ["n"], run: theme },
  { id: "panel", title: "Write together", group: "View", keys: ["w"], run: () => document.body.classList.toggle("together"), pressed: () => document.body.classList.contains("together") },
  { id: "help", title: "All keys", group: "View", keys: ["?"], run: showKeys },
]);

function showKeys() {
  const groups = Map.groupBy(commands.all, (command) => command.group);
  const columns = make("div", { class: "columns" });
  for (const [name, members] of groups) {
    const list = make("dl");
    for (const { keys, title } of members) {
      list.append(make("dt", {}, ...keys.slice(0, 1).map((key) => make("kbd", {}, shownKey(key)))), make("dd", {}, title));
    }
    columns.append(make("section", {}, make("h3", {}, name), list));
  }
  const hints = make("p", { class: "muted" }, "Wheel scrolls, with Shift through time; with Ctrl it zooms, with Alt it makes rows taller. Drag over the bar numbers to loop, click there to set the playhead. Shift-drag selects with any tool; a right click deletes; Alt while dragging ignores the snap.");
  show(dialogs.sheet, "Keys", columns, hints);
}

window.addEventListener("keydown", (event) => {
  if (document.body.inert) return; // what was kept is still being read, and would replace what is written now
  const inText = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (!inText && !document.querySelector("dialog[open]") && keyboard.letterDown(event)) return event.preventDefault();
  commands.key(event);
});
window.addEventListener("keyup", keyboard.letterUp);

for (const signal of [session.pieceChanged, session.selectionChanged, session.settingsChanged, transport.changed, recorder.changed, takes.changed, answerer.changed]) {
  signal.on(() => commands.refresh());
}

// --- What the page shows ---------------------------------------------------------------------------------------

const position = element("position", HTMLElement);
const tempo = element("tempo", HTMLInputElement);
const metre = element("metre", HTMLSelectElement);
const snap = element("snap", HTMLSelectElement);
const level = element("level", HTMLMeterElement);

function showPosition() {
  const tick = session.playhead;
  const { bar, beat } = place(session.piece.metres, tick);
  const [where, when] = position.children;
  where.textContent = transport.counting ? "count-in" : `${bar} · ${beat}`;
  when.textContent = minutes(new Clock(session.piece.tempos).seconds(tick));
  if (transport.playing) view.follow(tick);
}

function showPiece() {
  const { notes, tempos, metres } = session.piece;
  if (document.activeElement !== tempo) tempo.value = String(Math.round(tempos[0][1]));
  const [, beats, unit] = metres[0];
  const written = `${beats}/${unit}`;
  if (![...metre.options].some((option) => option.value === written)) metre.add(new Option(written, written));
  metre.value = written;
  const { size } = session.selected;
  element("count", HTMLElement).textContent = size ? `${size} of ${notes.length} notes` : notes.length === 1 ? "1 note" : notes.length ? `${notes.length} notes` : "";
  const empty = element("empty", HTMLElement);
  const wasHidden = empty.hidden;
  empty.hidden = notes.length > 0 || session.ghosts.length > 0 || takes.running || transport.playing;
  if (wasHidden && !empty.hidden) drawExamples();
  element("pieces", HTMLElement).textContent = session.name;
  document.title = `${session.name} – Cadenza studio`;
  showPosition();
}

for (const signal of [session.pieceChanged, session.selectionChanged, session.settingsChanged, session.ghostsChanged, takes.changed, transport.changed]) signal.on(showPiece);
session.playheadChanged.on(showPosition);
piano.loaded.on((share) => showStatus({ doing: `Tuning the piano, ${Math.round(100 * share)} %` }));
piano.mute.on(() => tell("The browser finds nothing to play on: connect loudspeakers or headphones, and reload the page."));
answerer.changed.on(() => {
  element("answer-told", HTMLElement).textContent = answerer.told;
  element("answer", HTMLElement).textContent = answerer.on ? "Stop answering" : "Answer me";
});
midi.changed.on(() => {
  element("midi-told", HTMLElement).textContent = midi.inputs();
});

tempo.onchange = () => {
  const qpm = clamp(Number(tempo.value) || 120, 10, 480);
  tempo.value = String(qpm);
  const { tempos } = session.piece;
  // All of them, for what was played has one a beat.
  const anew = tempos.map(([tick, old]) => /** @type {const} */ ([tick, tick ? clamp((old * qpm) / tempos[0][1], 4, 1000) : qpm]));
  session.commit("Tempo", framed(session.piece, { tempos: anew }));
};
metre.onchange = () => {
  const [beats, unit] = metre.value.split("/").map(Number);
  const [, ...later] = session.piece.metres;
  session.commit("Metre", framed(session.piece, { metres: [[0, beats, unit], ...later] }));
};
offer(snap, SNAPS.map(([name, ticks]) => /** @type {const} */ ([String(ticks), name])), String(session.snap));
snap.onchange = () => session.set({ snap: Number(snap.value) });

roll.canvases.chords.onclick = () => {
  document.body.classList.add("together");
  element("chords", HTMLInputElement).focus();
};

const light = (/** @type {{pitch: number, on: boolean}} */ { pitch, on }) => {
  roll.light(pitch, on);
  keyboard.light(pitch, on);
};
transport.sounded.on(light);
live.played.on((played) => {
  if (played.kind === "key") light(played);
});
let frame = 0;
/** Shows how loud it is, for as long as there is anything to hear. */
function showLevel() {
  cancelAnimationFrame(frame);
  level.value = piano.level();
  if (transport.playing || live.held.size || level.value > 0.001) frame = requestAnimationFrame(showLevel);
}
for (const signal of [transport.changed, live.played]) signal.on(showLevel);

let held = 0;
/** Plays the key under the pointer. @param {PointerEvent} event */
function slide({ offsetY }) {
  const pitch = view.pitch(offsetY);
  if (live.held.has(held) && held === pitch) return;
  live.up(held);
  live.down((held = pitch), 88);
}
drags(roll.canvases.keys, { begin: slide, move: slide, end: () => live.up(held) });

// --- Beginnings ------------------------------------------------------------------------------------------------

/** Ticks of the unit that examples are written in. */
const SIXTEENTH = TICKS / 4;

/** @param {Example} example */
const notesOf = ({ notes }) =>
  notes.map(([pitch, start, length, velocity]) => note(pitch, start * SIXTEENTH, (start + length) * SIXTEENTH, velocity));

function drawExamples() {
  element("examples", HTMLElement).replaceChildren(
    ...EXAMPLES.map((example) => {
      const picture = make("canvas", { "aria-hidden": "true" });
      const button = make("button", { type: "button", class: "example" }, picture, make("b", {}, example.name), make("span", {}, example.told));
      button.onclick = () => begin(example);
      requestAnimationFrame(() => thumbnail(picture, notesOf(example)));
      return button;
    }),
  );
}

/** @param {Example} example */
function begin(example) {
  const { name, qpm, metre } = example;
  /** @type {Span[]} */
  const pedal = example.pedal.map(([from, until]) => [from * SIXTEENTH, until * SIXTEENTH]);
  session.set({ name });
  session.commit(name, { ...framed(session.piece, { tempos: [[0, qpm]], metres: [[0, ...metre]], pedal }), added: notesOf(example) });
  fit();
  transport.play(0);
}

element("from-nothing", HTMLButtonElement).onclick = () => {
  const refusal = panel.refusal("compose");
  if (refusal) tell(refusal);
  else panel.ask("compose");
};

/** @param {File | undefined} file */
async function openFile(file) {
  if (!file) return;
  const read = await opened(file);
  if (!read) return;
  await library.create(read.name, `Open ${file.name}`, read.change);
  if (read.remarks.length) tell(read.remarks.join(" "));
}

picker.onchange = () => {
  openFile(picker.files?.[0]);
  picker.value = "";
};
const drop = element("drop", HTMLElement);
window.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return; // the piece itself, on its way to another program
  event.preventDefault();
  drop.hidden = false;
});
window.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.hidden = true;
});
window.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.hidden = true;
  openFile(event.dataTransfer?.files[0]);
});
window.addEventListener("pointerdown", (event) => {
  const menu = element("export", HTMLDetailsElement);
  if (event.target instanceof Node && !menu.contains(event.target)) menu.open = false;
});
dragsOut(element("export", HTMLDetailsElement), /** @type {HTMLElement} */ (document.querySelector("[data-command=export-midi]")));

// --- The server ------------------------------------------------------------------------------------------------

let watching = false;

/** Looks after the server where it seems to be gone, and says when it is back. */
async function watch() {
  if (watching || (await alive())) return;
  watching = true;
  do await new Promise((again) => setTimeout(again, RETRY));
  while (!(await alive()));
  watching = false;
  tell("The studio’s server is there again.");
  await greet();
}

/** Asks what the server can do, and for its piano. */
async function greet() {
  try {
    panel.know(await abilities());
    commands.refresh();
    if (!piano.ready) await busy("Tuning the piano …", piano.load());
  } catch (error) {
    tell(told(error));
    watch();
  }
}

document.documentElement.dataset.theme = tried(() => localStorage.getItem("theme")) ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
roll.recolour();
drawExamples();
await library.begin();
session.opened.on(fit);
document.body.inert = false;
fit();
showPiece();
commands.refresh();
await greet();
