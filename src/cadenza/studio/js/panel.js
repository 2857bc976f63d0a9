// The side of the page where one writes together with the composer: what is wished for.

import { barAt, HIGHEST, LOWEST, pitchName, place } from "./music.js";
import { element, make, offer, tell } from "./page.js";
import { firstFrom } from "./piece.js";
import { sentence } from "./server.js";
import { session, takes, transport, view } from "./studio.js";
/** @import { Abilities } from "./server.js" */
/** @import { Wish } from "./takes.js" */

const TONICS = ["C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const SCALES = ["major", "minor", "dorian", "mixolydian", "pentatonic", "blues"];
/** Why nothing can be asked for before the server has said what it can do. */
const SILENT = "The studio’s server has not answered yet.";

/** What each need of an operation asks of the roll: why it is not met, or nothing. @type {Record<string, () => string>} */
const NEEDS = {
  notes: () => (session.piece.notes.length ? "" : "Write, play or open a few notes first."),
  chords: () =>
    session.piece.notes.length
      ? chords.value.trim() ? "" : "Write chords for it first, such as C | Am F | G7."
      : "Write, play or open a tune first.",
  selection: () => (session.selected.size ? "" : "Select some notes first: Shift-drag over them."),
  empty: () => (session.piece.notes.length ? "Only on an empty roll: begin a new piece." : ""),
};

const input = (/** @type {string} */ id) => element(id, HTMLInputElement);
/** A choice of values, each with its text. @param {string} id @param {[value: string, text: string][]} options
 * @param {string} [chosen] */
function choice(id, options, chosen) {
  const select = element(id, HTMLSelectElement);
  offer(select, options, chosen);
  return select;
}

/** Values that are their own texts. @param {readonly string[]} names @returns {[string, string][]} */
const plain = (names) => names.map((name) => [name, name]);
/** @type {[string, string][]} */
const atMost = Array.from({ length: 10 }, (_, i) => [String(i + 1), `up to ${i + 1}`]);
/** @type {[string, string][]} */
const keys = Array.from({ length: HIGHEST - LOWEST + 1 }, (_, i) => [String(LOWEST + i), pitchName(LOWEST + i)]);

const operations = element("operations", HTMLElement);
const where = element("where", HTMLElement);
const bars = input("bars");
const wanted = choice("takes-wanted", plain(["1", "2", "3", "4"]));
const style = choice("style", [["", "as your notes suggest"]]);
const temperature = input("temperature");
const daring = element("daring-told", HTMLOutputElement);
const tonic = choice("key-tonic", [["", "any"], ...plain(TONICS)]);
const scale = choice("key-scale", plain(SCALES));
const lowest = choice("lowest", keys, String(LOWEST));
const highest = choice("highest", keys, String(HIGHEST));
const mostNotes = choice("most-notes", [["", "any number"], ...atMost]);
const handSpan = choice("hand-span", [["", "any reach"], ["12", "an octave"], ["14", "a ninth"], ["16", "a tenth"]]);
const chords = input("chords");
const density = choice("density", [["", "as it comes"], ["1", "sparse"], ["2", "flowing"], ["4", "dense"], ["7", "very dense"]]);
const strength = input("strength");
const model = element("model", HTMLSelectElement);
const seed = input("seed");

/** @type {Abilities | null} */
let abilities = null;

/** Shows what the server can do. @param {Abilities} told */
export function know(told) {
  abilities = told;
  bars.max = String(told.most_bars);
  offer(model, told.models.map((m) => [m.name, m.name.replaceAll("_", " ")]));
  chooseModel();
}

/** @param {string} name */
const operation = (name) => abilities?.operations.find((one) => one.name === name);

const chosenModel = () => abilities?.models.find((one) => one.name === model.value);

/** Whether an operation can be done now: why not, or nothing. @param {string} name */
export const refusal = (name) => inability(name) || NEEDS[operation(name)?.needs ?? ""]?.() || "";

/** Why the chosen model cannot do an operation, or nothing. @param {string} name */
export const inability = (name) => chosenModel()?.refusals[name] ?? SILENT;

/** Why there can be no sheet music, or nothing. */
export const noSheet = () => (abilities ? abilities.no_sheet && sentence(abilities.no_sheet) : SILENT);

/** Asks for takes. @param {string} name of the operation */
export function ask(name) {
  const asked = wish(name);
  takes.ask(asked, operation(name)?.title ?? name);
  const bar = barAt(session.piece.metres, Math.max(0, takes.begin - 1));
  const from = Math.min(bar.begin, transport.playing ? session.playhead : Infinity);
  if (asked.end === null) view.show(from, bar.end + asked.bars * (bar.end - bar.begin));
}

/** What is wished for. @param {string} name of the operation @returns {Wish} */
export function wish(name) {
  const range = `${lowest.value}-${highest.value}`;
  return {
    operation: name,
    model: model.value,
    ...(operation(name)?.edits ? part() : { begin: name === "continue" ? beginning() : null, end: null, pitches: [LOWEST, HIGHEST] }),
    strength: Number(strength.value),
    density: Number(density.value) || null,
    chords: chords.value.trim() || null,
    most_notes: Number(mostNotes.value) || null,
    hand_span: Number(handSpan.value) || null,
    takes: Number(wanted.value),
    bars: Math.max(1, Math.min(Number(bars.value) || 4, abilities?.most_bars ?? 64)),
    seed: Number(seed.value) || 0,
    style: style.value || null,
    temperature: Number(temperature.value),
    key: tonic.value ? `${tonic.value} ${scale.value}` : null,
    pitch_range: range === `${LOWEST}-${HIGHEST}` ? null : range,
  };
}

/** The bars of the selected notes, or the whole piece; where notes of these bars are not selected, the keys of
 * those that are. @returns {Pick<Wish, "begin" | "end" | "pitches">} */
function part() {
  const { piece, selection } = session;
  if (!selection.length) return { begin: 0, end: null, pitches: [LOWEST, HIGHEST] };
  const begin = barAt(piece.metres, selection[0].start).begin;
  const end = barAt(piece.metres, Math.max(...selection.map((n) => n.start))).end;
  const inside = piece.notes.filter((n) => begin <= n.start && n.start < end);
  const pitches = selection.map((n) => n.pitch);
  return { begin, end, pitches: inside.length > selection.length ? [Math.min(...pitches), Math.max(...pitches)] : [LOWEST, HIGHEST] };
}

/** Whether takes are to be heard while they come. */
export const hear = () => input("hear").checked;

/** The next wish gets other music. */
export function nextSeed() {
  seed.value = String((Number(seed.value) + Number(wanted.value)) % 2147483000);
}

/** Where notes are added: at the playhead where it stands after some notes, else after all of them.
 * @returns {number | null} */
function beginning() {
  const { piece, playhead } = session;
  // Where playing has left it, or where nothing follows, it says nothing.
  if (transport.playing || !session.placed || playhead >= session.end) return null;
  return firstFrom(piece.notes, playhead) ? playhead : null;
}

function chooseModel() {
  const chosen = chosenModel();
  if (!chosen) return;
  offer(style, [["", chosen.styles.length ? "as your notes suggest" : "it knows no styles"], ...plain(chosen.styles)]);
  style.disabled = !chosen.styles.length;
  element("model-told", HTMLElement).textContent = chosen.paper ? `After ${chosen.paper}.` : chosen.name === "composer" ? "Cadenza’s own." : "";
  refresh();
}

function tellSettings() {
  element("strength-told", HTMLOutputElement).value = `${Math.round(100 * Number(strength.value))} % of the notes`;
  const value = Number(temperature.value);
  daring.value = value < 0.7 ? "safe" : value < 0.95 ? "calm" : value <= 1.05 ? "as learnt" : value < 1.4 ? "bold" : "wild";
  temperature.setAttribute("aria-valuetext", daring.value);
  scale.disabled = !tonic.value;
}

function refresh() {
  drawOperations();
  tellWhere();
}

function drawOperations() {
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.operation : "";
  operations.replaceChildren(
    ...(abilities?.operations ?? []).map(({ name, title, hint }, i) => {
      const why = refusal(name);
      const button = make("button", { type: "button", title: why || hint }, title);
      button.dataset.operation = name;
      if (why) {
        button.setAttribute("aria-disabled", "true");
        button.setAttribute("aria-description", why);
      } else if (i === 0 || !session.piece.notes.length) button.classList.add("primary");
      button.onclick = () => (why ? tell(why) : ask(name));
      return button;
    }),
  );
  if (focused) /** @type {HTMLElement | null} */ (operations.querySelector(`[data-operation=${focused}]`))?.focus();
}

function tellWhere() {
  const { metres, notes } = session.piece;
  const { begin, end } = part();
  let text = "";
  if (notes.length) {
    const from = beginning();
    const { bar, beat } = place(metres, from ?? session.end);
    text = from === null ? "Continue goes on where your notes end." : `Continue goes on from the playhead, bar ${bar}${beat > 1 ? `, beat ${beat}` : ""}.`;
  }
  if (session.selected.size) {
    const first = barAt(metres, begin ?? 0).number;
    const last = barAt(metres, (end ?? 1) - 1).number;
    text += ` The others work on ${first === last ? `bar ${first}` : `bars ${first} to ${last}`}.`;
  }
  if (where.textContent !== text) where.textContent = text;
  const told = { text: chords.value, begin: begin ?? 0, end: end ?? session.end };
  if (JSON.stringify(told) !== JSON.stringify(session.chords)) session.set({ chords: told });
}

const newSeed = () => {
  seed.value = String(Math.floor(Math.random() * 1_000_000));
};

newSeed();
tellSettings();
element("new-seed", HTMLButtonElement).onclick = newSeed;
element("wish", HTMLFormElement).onsubmit = (event) => event.preventDefault();
for (const control of [temperature, tonic, strength]) control.oninput = tellSettings;
for (const signal of [session.pieceChanged, session.selectionChanged]) signal.on(refresh);
for (const signal of [session.playheadChanged, transport.changed]) signal.on(tellWhere);
chords.oninput = refresh;
model.onchange = chooseModel;
