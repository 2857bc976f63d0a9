// What is asked of the studio's server, and what it answers.

/**
 * @typedef {{name: string, title: string, hint: string, needs: string, edits: boolean}} Operation
 * @typedef {{name: string, kind: string, paper: string, styles: string[], refusals: Record<string, string>}} Model
 * @typedef {{operations: Operation[], models: Model[], most_bars: number, most_takes: number, no_sheet: string}} Abilities
 * @typedef {[pitch: number, start: number, end: number, velocity: number]} Row
 * @typedef {{notes: Row[], pedal: [number, number][], tempos: [number, number][], metres: [number, number, number][]}} Wire
 * @typedef {{take: number, notes: Row[], removed: Row[], pedal: [number, number][], begin: number, model: string, style: string | null,
 *   seed: number, seconds: number, heard: number, remarks: string[]}} Drawn
 */

/** A refusal or a failure, in words for the user. */
export class ServerError extends Error {}

const GONE = "The studio’s server does not answer. Is it still running in its terminal? Your notes are safe here.";

/** @param {string} path @param {RequestInit} [how] @returns {Promise<Response>} rejected with a ServerError */
async function ask(path, how) {
  let answer;
  try {
    answer = await fetch(path, how);
  } catch {
    throw new ServerError(GONE);
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new ServerError(told.error ? sentence(told.error) : `The server refused that (${answer.status}).`);
}

/** @param {string} text @returns {string} with a capital, but for the name of a file, and a full stop */
export const sentence = (text) =>
  (/^[^ ]+\.\w+: /.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1)) + (/[.!?]$/.test(text) ? "" : ".");

/** @param {unknown} body @returns {RequestInit} */
const json = (body) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

/** @returns {Promise<Abilities>} */
export const abilities = async () => await (await ask("/api/models")).json();

/** Whether the server answers. */
export const alive = async () => {
  try {
    return (await fetch("/api/health")).ok;
  } catch {
    return false;
  }
};

/** @param {File} file @returns {Promise<{piece: Wire, remarks: string[]}>} */
export const read = async (file) =>
  await (await ask(`/api/read?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file })).json();

/** How unexpected each note of a piece is. @param {unknown} piece
 * @returns {Promise<{notes: [pitch: number, start: number, nats: number][]}>} */
export const surprise = async (piece) => await (await ask("/api/surprise", json({ piece }))).json();

/** What a piece resembles, in words. @param {unknown} piece @returns {Promise<{text: string}>} */
export const resemblance = async (piece) => await (await ask("/api/resemblance", json({ piece }))).json();

/**
 * Bars of a piece as an SVG document, and where they stand: `lines` are the ticks at which all its bars begin, and at
 * which the last one ends; `first` and `bars` which bars these are; `length` how many they are in any but the last.
 * @typedef {{svg: string, lines: number[], first: number, bars: number, length: number}} Engraved
 */
/** @param {{piece: unknown, tick: number, width: number, scale: number}} wanted @returns {Promise<Engraved>} */
export const engraved = async (wanted) => await (await ask("/api/sheet", json(wanted))).json();

/** @typedef {"midi" | "wav" | "musicxml" | "svg"} Kind */
/** @param {Kind} kind @param {unknown} piece @returns {Promise<Blob>} */
export const exported = async (kind, piece) => await (await ask(`/api/${kind}`, json(piece))).blob();

/**
 * What is told of a job.
 * @typedef {{begun?(before: number): void, notes(take: number, notes: Row[]): void, take(drawn: Drawn): void,
 *   over(error: string | null): void}} Listener
 * over: null where all takes are there, else why not
 */

/** A job that is drawn on the server. */
export class Job {
  /** @type {EventSource | null} */
  #events = null;
  #id = "";
  #cancelled = false;

  /** @param {unknown} wish @param {Listener} listener */
  constructor(wish, listener) {
    this.listener = listener;
    this.#begin(wish);
  }

  /** Ends it; what has come stays. */
  cancel() {
    this.#cancelled = true;
    if (this.#id) fetch(`/api/jobs/${this.#id}`, { method: "DELETE", keepalive: true }).catch(() => {});
    this.#over("");
  }

  /** @param {unknown} wish */
  async #begin(wish) {
    try {
      const { id, before } = await (await ask("/api/jobs", json(wish))).json();
      this.#id = id;
      if (this.#cancelled) return this.cancel();
      this.listener.begun?.(before);
    } catch (error) {
      return this.#over(error instanceof Error ? error.message : String(error));
    }
    const events = new EventSource(`/api/jobs/${this.#id}/events`);
    this.#events = events;
    const on = (/** @type {string} */ kind, /** @type {(told: any) => void} */ act) =>
      events.addEventListener(kind, (event) => act(JSON.parse(/** @type {MessageEvent} */ (event).data)));
    on("notes", (told) => this.listener.notes(told.take, told.notes));
    on("take", (told) => this.listener.take(told));
    on("finished", () => this.#over(null));
    on("cancelled", () => this.#over("Stopped."));
    on("failed", (told) => this.#over(sentence(told.error)));
    // A short loss is mended by the browser, which goes on after the last event; a server that is gone is not.
    events.onerror = async () => {
      if (events.readyState === EventSource.CLOSED || !(await alive())) this.#over(GONE);
    };
  }

  /** @param {string | null} error */
  #over(error) {
    this.#events?.close();
    this.#events = null;
    const { listener } = this;
    this.listener = { notes() {}, take() {}, over() {} };
    listener.over(error);
  }
}
