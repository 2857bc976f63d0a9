// The side of the page where one writes together with the composer: wishes, takes, and what was done.

import { sharp } from "./canvas.js";
import { barAt, HIGHEST, LOWEST, pitchName, place } from "./music.js";
import { element, make, offer, tell } from "./page.js";
import { readPalette } from "./palette.js";
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

/** A small picture of notes. @param {HTMLCanvasElement} canvas @param {readonly Note[]} notes */
export function thumbnail(canvas, notes) {
  const { context, width, height } = sharp(canvas);
  context.clearRect(0, 0, width, height);
  if (!notes.length) return;
  const palette = readPalette();
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

export class Panel {
  /** @type {Abilities | null} */
  abilities = null;
  /** What the cards of the takes were made for. */
  #shape = "";
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
    list: element("takes", HTMLElement),
    history: element("history", HTMLElement),
  };

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./transport.js").Transport} transport
   * @param {import("./takes.js").Takes} takes
   * @param {{ask(operation: string): void, listen(number: number): void, keep(): void}} actions
   */
  constructor(session, transport, takes, actions) {
    this.session = session;
    this.transport = transport;
    this.takes = takes;
    this.actions = actions;
    this.#fill();
    session.pieceChanged.on(() => this.#refresh());
    session.selectionChanged.on(() => {
      this.#drawOperations();
      this.#tellWhere();
    });
    session.playheadChanged.on(() => this.#tellWhere());
    transport.changed.on(() => this.#tellWhere());
    takes.changed.on(() => this.#drawTakes());
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
    this.#drawHistory();
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
          else this.actions.ask(operation.name);
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

  #drawTakes() {
    const { list } = this.#places;
    const { takes } = this;
    // While notes come, only figures and pictures change: a card that is just being clicked stays.
    const shape = JSON.stringify([takes.takes.map((t) => [t.done, t.notes.size > 0]), takes.chosen, takes.running, takes.error, takes.before, takes.latency]);
    if (shape === this.#shape) return this.#redraw();
    this.#shape = shape;
    if (!takes.takes.length && !takes.error) return list.replaceChildren();
    const focused = document.activeElement instanceof HTMLElement && list.contains(document.activeElement) ? document.activeElement.dataset.act : "";
    const header = make("header", {}, make("b", {}, takes.takes.length > 1 ? "Takes" : "Take"));
    if (takes.latency >= 0) header.append(make("span", { class: "muted" }, `first note after ${Math.round(takes.latency)} ms`));
    const parts = [header, ...takes.takes.map((_, i) => this.#card(i))];
    if (takes.running) parts.push(make("div", { class: "progress", role: "progressbar", "aria-label": takes.before ? "Waiting" : "Composing" }));
    if (takes.running && takes.before && takes.latency < 0) parts.push(make("p", { class: "muted" }, `Waiting for ${takes.before} before this one.`));
    if (takes.error) parts.push(make("p", { class: "error", role: "alert" }, takes.error));
    const remarks = takes.takes[takes.chosen]?.remarks ?? [];
    for (const remark of remarks) parts.push(make("p", { class: "muted" }, `${remark.charAt(0).toUpperCase()}${remark.slice(1)}.`));
    const row = make("div", { class: "row" });
    if (takes.any) row.append(this.#button("keep", takes.takes.length > 1 ? `Keep take ${takes.chosen + 1}` : "Keep", () => this.actions.keep(), "primary"));
    if (takes.running) row.append(this.#button("stop", "Stop", () => takes.cancel()));
    else row.append(this.#button("drop", takes.any ? "Discard" : "Close", () => takes.discard()));
    list.replaceChildren(...parts, row);
    this.#redraw();
    if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`[data-act="${focused}"]`))?.focus();
  }

  /** @param {number} i */
  #card(i) {
    const card = make(
      "button",
      { type: "button", class: "take", "aria-pressed": String(i === this.takes.chosen) },
      make("b", {}, `Take ${i + 1}`),
      make("small"),
      make("canvas", { "aria-hidden": "true" }),
    );
    card.dataset.act = `take ${i}`;
    card.onclick = () => this.actions.listen(i);
    return card;
  }

  /** Brings what the cards show up to date. */
  #redraw() {
    this.#places.list.querySelectorAll(".take").forEach((card, i) => {
      const { notes, done, style } = this.takes.takes[i];
      const state = done ? `${notes.size} notes` : notes.size ? `${notes.size} notes …` : "to come";
      const [, small, canvas] = card.children;
      small.textContent = [state, style].filter(Boolean).join(", ");
      if (canvas instanceof HTMLCanvasElement) thumbnail(canvas, [...notes.values()]);
    });
  }

  /** @param {string} act @param {string} title @param {() => void} run @param {string} [look] */
  #button(act, title, run, look = "") {
    const button = make("button", { type: "button", class: look }, title);
    button.dataset.act = act;
    button.onclick = run;
    return button;
  }

  /** Shows the tree: takes, beginnings and ends of branches, and how much lies between. */
  #drawHistory() {
    const { history: list } = this.#places;
    const { history } = this.session;
    /** @type {Map<number, number>} */
    const children = new Map();
    for (const node of history.nodes.values()) children.set(node.parent, (children.get(node.parent) ?? 0) + 1);
    const past = new Set();
    for (let id = history.current; id; id = history.nodes.get(id)?.parent ?? 0) past.add(id);
    const rows = [];
    let between = 0;
    for (const node of [...history.nodes.values()].reverse()) {
      const forks = (children.get(node.id) ?? 0) !== 1 || (children.get(node.parent) ?? 0) > 1;
      if (!(node.take || forks || node.id === history.current || node.id === history.nodes.size)) {
        between++;
        continue;
      }
      rows.push(this.#historyRow(node, past.has(node.id), between));
      between = 0;
      if (rows.length >= 60) break;
    }
    rows.push(this.#startRow(between));
    list.replaceChildren(...rows);
  }

  /** @param {import("./history.js").Node} node @param {boolean} past @param {number} between */
  #historyRow(node, past, between) {
    const button = make("button", { type: "button", class: `${past ? "" : "aside"} ${node.take ? "take-mark" : ""}` }, make("span", {}, node.label));
    button.append(make("small", { class: "muted" }, amount(node.change)));
    if (node.id === this.session.history.current) button.setAttribute("aria-current", "true");
    button.style.paddingInlineStart = `${8 + 12 * Math.min(6, this.#depth(node))}px`;
    button.onclick = () => this.session.go(node.id);
    return make("li", between ? { title: `${between} more in between` } : {}, button);
  }

  /** How many takes a node builds on. @param {import("./history.js").Node} node @returns {number} */
  #depth(node) {
    let depth = 0;
    for (let above = this.session.history.nodes.get(node.parent); above; above = this.session.history.nodes.get(above.parent)) {
      if (above.take) depth++;
    }
    return depth;
  }

  /** @param {number} between */
  #startRow(between) {
    const button = make("button", { type: "button" }, between ? `Empty roll, ${between} steps before` : "Empty roll");
    if (!this.session.history.current) button.setAttribute("aria-current", "true");
    button.onclick = () => this.session.go(0);
    return make("li", {}, button);
  }
}

/** @param {import("./piece.js").Change} change @returns {string} how many notes it is about */
function amount({ added, removed }) {
  const number = Math.max(added.length, removed.length);
  return number ? `${number} ${number === 1 ? "note" : "notes"}` : "";
}

const anySeed = () => Math.floor(Math.random() * 1_000_000);
