// The side of the page where one writes together with the composer: what is wished for.

import { barAt, HIGHEST, LOWEST, pitchName, place } from "./music.js";
import { element, make, offer, tell } from "./page.js";
import { firstFrom } from "./piece.js";

/** @typedef {import("./music.js").Note} Note */
/** @typedef {import("./server.js").Abilities} Abilities */

const TONICS = ["C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const SCALES = ["major", "minor", "dorian", "mixolydian", "pentatonic", "blues"];

/**
 * What each need of an operation asks of the roll: why it is not met, or nothing.
 * @type {Record<string, (session: import("./session.js").Session) => string>}
 */
const NEEDS = {
  notes: (session) => (session.piece.notes.length ? "" : "Write, play or open a few notes first."),
  chords: (session) =>
    session.piece.notes.length
      ? element("chords", HTMLInputElement).value.trim() ? "" : "Write chords for it first, such as C | Am F | G7."
      : "Write, play or open a tune first.",
  selection: (session) => (session.selected.size ? "" : "Select some notes first: Shift-drag over them."),
  empty: (session) => (session.piece.notes.length ? "Only on an empty roll: begin a new piece." : ""),
};

export class Panel {
  /** @type {Abilities | null} */
  abilities = null;
  #places = {
    operations: element("operations", HTMLElement),
    where: element("where", HTMLElement),
    bars: element("bars", HTMLInputElement),
    takes: element("takes-wanted", HTMLSelectElement),
    style: element("style", HTMLSelectElement),
    temperature: element("temperature", HTMLInputElement),
    daring: element("daring-told", HTMLOutputElement),
    tonic: element("key-tonic", HTMLSelectElement),
    scale: element("key-scale", HTMLSelectElement),
    lowest: element("lowest", HTMLSelectElement),
    highest: element("highest", HTMLSelectElement),
    model: element("model", HTMLSelectElement),
    modelTold: element("model-told", HTMLElement),
    mostNotes: element("most-notes", HTMLSelectElement),
    handSpan: element("hand-span", HTMLSelectElement),
    strength: element("strength", HTMLInputElement),
    strengthTold: element("strength-told", HTMLOutputElement),
    chords: element("chords", HTMLInputElement),
    density: element("density", HTMLSelectElement),
    seed: element("seed", HTMLInputElement),
    hear: element("hear", HTMLInputElement),
  };

  /** @param {import("./session.js").Session} session @param {import("./transport.js").Transport} transport
   * @param {(operation: string) => void} ask */
  constructor(session, transport, ask) {
    this.session = session;
    this.transport = transport;
    this.ask = ask;
    this.#fill();
    session.pieceChanged.on(() => this.#refresh());
    session.selectionChanged.on(() => {
      this.#drawOperations();
      this.#tellWhere();
    });
    session.playheadChanged.on(() => this.#tellWhere());
    transport.changed.on(() => this.#tellWhere());
    element("wish", HTMLFormElement).onsubmit = (event) => event.preventDefault();
  }

  #fill() {
    const { takes, tonic, scale, lowest, highest, model, seed, temperature, style, strength } = this.#places;
    offer(this.#places.mostNotes, [["", "any number"], ...Array.from({ length: 10 }, (_, i) => /** @type {const} */ ([String(i + 1), `up to ${i + 1}`]))]);
    offer(this.#places.density, [["", "as it comes"], ["1", "sparse"], ["2", "flowing"], ["4", "dense"], ["7", "very dense"]]);
    this.#places.chords.oninput = () => {
      this.#drawOperations();
      this.#tellWhere();
    };
    offer(this.#places.handSpan, [["", "any reach"], ["12", "an octave"], ["14", "a ninth"], ["16", "a tenth"]]);
    offer(takes, ["1", "2", "3", "4"].map((n) => /** @type {const} */ ([n, n])), "1");
    offer(tonic, [["", "any"], ...TONICS.map((name) => /** @type {const} */ ([name.replace("♭", "b").replace("♯", "#"), name]))]);
    offer(scale, SCALES.map((name) => /** @type {const} */ ([name, name])));
    const names = Array.from({ length: HIGHEST - LOWEST + 1 }, (_, i) => /** @type {const} */ ([String(LOWEST + i), pitchName(LOWEST + i)]));
    offer(lowest, names, String(LOWEST));
    offer(highest, names, String(HIGHEST));
    offer(style, [["", "as your notes suggest"]]);
    seed.value = String(anySeed());
    element("new-seed", HTMLButtonElement).onclick = () => {
      seed.value = String(anySeed());
    };
    for (const control of [temperature, tonic, strength]) control.oninput = () => this.#tellSettings();
    model.onchange = () => this.#chooseModel();
    this.#tellSettings();
  }

  /** Shows what the server can do. @param {Abilities} abilities */
  offer(abilities) {
    this.abilities = abilities;
    const { model, bars } = this.#places;
    bars.max = String(abilities.most_bars);
    offer(model, abilities.models.map((m) => [m.name, m.name.replaceAll("_", " ")]));
    this.#chooseModel();
  }

  /** Whether an operation can be done now: why not, or nothing. @param {string} name */
  refusal(name) {
    return this.inability(name) || NEEDS[this.#operation(name)?.needs ?? ""]?.(this.session) || "";
  }

  /** Why the chosen model cannot do an operation, or nothing. @param {string} name */
  inability(name) {
    const model = this.abilities?.models.find((one) => one.name === this.#places.model.value);
    return model ? model.refusals[name] : "The studio’s server has not answered yet.";
  }

  /** What is wished for. @param {string} operation @returns {import("./takes.js").Wish} */
  wish(operation) {
    const { bars, takes, style, temperature, tonic, scale, lowest, highest, model, seed } = this.#places;
    const { mostNotes, handSpan, strength, chords, density } = this.#places;
    const range = `${lowest.value}-${highest.value}`;
    return {
      operation,
      model: model.value,
      ...(this.#operation(operation)?.edits ? this.#part() : { begin: operation === "continue" ? this.#begin() : null, end: null, pitches: [LOWEST, HIGHEST] }),
      strength: Number(strength.value),
      density: Number(density.value) || null,
      chords: chords.value.trim() || null,
      most_notes: Number(mostNotes.value) || null,
      hand_span: Number(handSpan.value) || null,
      takes: Number(takes.value),
      bars: Math.max(1, Math.min(Number(bars.value) || 4, this.abilities?.most_bars ?? 64)),
      seed: Number(seed.value) || 0,
      style: style.value || null,
      temperature: Number(temperature.value),
      key: tonic.value ? `${tonic.value} ${scale.value}` : null,
      pitch_range: range === `${LOWEST}-${HIGHEST}` ? null : range,
    };
  }

  /** The bars of the selected notes, or the whole piece; where notes of these bars are not selected, the keys of
   * those that are. @returns {Pick<import("./takes.js").Wish, "begin" | "end" | "pitches">} */
  #part() {
    const { piece, selection } = this.session;
    if (!selection.length) return { begin: 0, end: null, pitches: [LOWEST, HIGHEST] };
    const begin = barAt(piece.metres, selection[0].start).begin;
    const end = barAt(piece.metres, Math.max(...selection.map((n) => n.start))).end;
    const inside = piece.notes.filter((n) => begin <= n.start && n.start < end);
    const pitches = selection.map((n) => n.pitch);
    return { begin, end, pitches: inside.length > selection.length ? [Math.min(...pitches), Math.max(...pitches)] : [LOWEST, HIGHEST] };
  }

  /** @param {string} name */
  #operation(name) {
    return this.abilities?.operations.find((one) => one.name === name);
  }

  /** What an operation is called. @param {string} name */
  title(name) {
    return this.#operation(name)?.title ?? name;
  }

  /** Whether takes are to be heard while they come. */
  get hear() {
    return this.#places.hear.checked;
  }

  /** The next wish gets other music. */
  nextSeed() {
    const { seed, takes } = this.#places;
    seed.value = String((Number(seed.value) + Number(takes.value)) % 2147483000);
  }

  /** Where notes are added: at the playhead where it stands after some notes, else after all of them.
   * @returns {number | null} */
  #begin() {
    const { session, transport } = this;
    const { notes } = session.piece;
    const { playhead } = session;
    // Where playing has left it, or where nothing follows, it says nothing.
    if (transport.playing || !session.placed || playhead >= session.end) return null;
    return firstFrom(notes, playhead) ? playhead : null;
  }

  #chooseModel() {
    const { model, modelTold, style } = this.#places;
    const chosen = this.abilities?.models.find((one) => one.name === model.value);
    if (!chosen) return;
    offer(style, [["", chosen.styles.length ? "as your notes suggest" : "it knows no styles"], ...chosen.styles.map((s) => /** @type {const} */ ([s, s]))]);
    style.disabled = !chosen.styles.length;
    modelTold.textContent = chosen.paper ? `After ${chosen.paper}.` : chosen.name === "composer" ? "Cadenza’s own." : "";
    this.#refresh();
  }

  #tellSettings() {
    const { temperature, daring, tonic, scale, strength, strengthTold } = this.#places;
    strengthTold.value = `${Math.round(100 * Number(strength.value))} % of the notes`;
    const value = Number(temperature.value);
    daring.value = value < 0.7 ? "safe" : value < 0.95 ? "calm" : value <= 1.05 ? "as learnt" : value < 1.4 ? "bold" : "wild";
    temperature.setAttribute("aria-valuetext", daring.value);
    scale.disabled = !tonic.value;
  }

  #refresh() {
    this.#drawOperations();
    this.#tellWhere();
  }

  #drawOperations() {
    const { operations } = this.#places;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.operation : "";
    operations.replaceChildren(
      ...(this.abilities?.operations ?? []).map((operation, i) => {
        const refusal = this.refusal(operation.name);
        const button = make("button", { type: "button", title: refusal || operation.hint }, operation.title);
        button.dataset.operation = operation.name;
        if (refusal) {
          button.setAttribute("aria-disabled", "true");
          button.setAttribute("aria-description", refusal);
        } else if (i === 0 || !this.session.piece.notes.length) button.classList.add("primary");
        button.onclick = () => {
          if (refusal) tell(refusal);
          else this.ask(operation.name);
        };
        if (operation.name === focused) queueMicrotask(() => button.focus());
        return button;
      }),
    );
  }

  #tellWhere() {
    const { where } = this.#places;
    const { session } = this;
    let text = "";
    if (session.piece.notes.length) {
      const begin = this.#begin();
      const { bar, beat } = place(session.piece.metres, begin ?? session.end);
      text = begin === null ? "Continue goes on where your notes end." : `Continue goes on from the playhead, bar ${bar}${beat > 1 ? `, beat ${beat}` : ""}.`;
    }
    if (session.selected.size) {
      const part = this.#part();
      const first = barAt(session.piece.metres, part.begin ?? 0).number;
      const last = barAt(session.piece.metres, (part.end ?? 1) - 1).number;
      text += ` The others work on ${first === last ? `bar ${first}` : `bars ${first} to ${last}`}.`;
    }
    if (where.textContent !== text) where.textContent = text;
    const { begin, end } = this.#part();
    const chords = { text: this.#places.chords.value, begin: begin ?? 0, end: end ?? session.end };
    if (JSON.stringify(chords) !== JSON.stringify(session.chords)) session.set({ chords });
  }
}

const anySeed = () => Math.floor(Math.random() * 1_000_000);
