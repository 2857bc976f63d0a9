// The pieces that the browser keeps: saved as one works, each open in one tab at a time.

import { History } from "./history.js";
import { make, show, showStatus, tell, told } from "./page.js";
import { claim, Store } from "./store.js";

/** @typedef {import("./piece.js").Change} Change */

/** Milliseconds after which the place of the playhead is kept. */
const PAUSE = 400;

export class Library {
  /** @type {Store | null} */
  #store = null;
  #piece = "";
  #saved = 0;
  /** Writes begun so far: only the last of them says that all is saved. */
  #writes = 0;
  /** @type {(() => void) | null} */
  #release = null;
  /** What is being written, so that writes follow each other. */
  #writing = Promise.resolve();
  #timer = 0;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
  }

  /** Opens the piece that this tab had, else the one that was saved last and that no other tab has, or a new one. */
  async begin() {
    try {
      this.#store = await Store.open();
      let elsewhere = false;
      const pieces = await this.#store.pieces();
      const own = (/** @type {{id: string}} */ { id }) => Number(id === window.name);
      for (const { id } of pieces.sort((a, b) => own(b) - own(a))) {
        if (await this.#load(id)) break;
        elsewhere = true;
      }
      if (elsewhere && this.#piece) tell("The piece that was saved last is open in another tab: this is the one before.");
      else if (elsewhere) tell("Your piece is open in another tab: this is a new one.");
    } catch (error) {
      this.#failed(error);
    }
    if (!this.#piece) await this.create("Untitled");
    const { session } = this;
    session.pieceChanged.on(() => this.#save());
    for (const signal of [session.playheadChanged, session.settingsChanged]) signal.on(() => this.#soon());
    window.addEventListener("pagehide", () => this.#save());
  }

  /** A new piece. @param {string} name @param {string} [label] @param {Change} [change] that it begins with */
  async create(name, label = "", change) {
    const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    const release = await claim(id);
    this.#take(id, release);
    this.#saved = 0;
    const { session } = this;
    session.set({ name, loop: null });
    session.setPlayhead(0);
    session.open(new History());
    if (change) session.commit(label, change);
  }

  /** Works on a piece from now on. @param {string} id @param {(() => void) | null} release */
  #take(id, release) {
    this.session.leaving.emit(undefined);
    this.#release?.();
    this.#release = release;
    this.#piece = id;
    window.name = id; // which the tab keeps when it is loaded anew
  }

  /** @param {string} id @returns {Promise<boolean>} false where another tab has it */
  async #load(id) {
    const release = await claim(id);
    if (!release || !this.#store) return false;
    const header = (await this.#store.pieces()).find((one) => one.id === id);
    const nodes = await this.#store.nodes(id);
    this.#take(id, release);
    this.#saved = nodes.length;
    const { session } = this;
    session.open(History.from(nodes, header?.current ?? 0));
    session.set({ name: header?.name ?? "Untitled", loop: header?.loop ?? null });
    session.setPlayhead(header?.playhead ?? 0);
    showStatus({ safe: "Saved in this browser" });
    return true;
  }

  /** Shows all pieces. @param {HTMLDialogElement} dialog */
  async shelf(dialog) {
    await this.#writing;
    const name = make("input", { type: "text", value: this.session.name, maxlength: "80" });
    name.onchange = () => {
      this.session.set({ name: name.value.trim() || "Untitled" });
      this.#save();
    };
    const fresh = make("button", {}, "New piece");
    fresh.onclick = async () => {
      dialog.close();
      await this.create("Untitled");
    };
    const headers = (await this.#store?.pieces()) ?? [];
    const list = make("ul", { class: "list" });
    for (const header of headers.filter((one) => one.id !== this.#piece)) {
      const when = new Date(header.saved).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
      const button = make("button", {}, header.name, " ", make("small", {}, when));
      button.onclick = async () => {
        if (await this.#load(header.id)) dialog.close();
        else tell(`“${header.name}” is open in another tab.`);
      };
      const remove = make("button", { class: "quiet", "aria-label": `Delete ${header.name}` }, "Delete");
      remove.onclick = async () => {
        if (remove.textContent === "Delete") return void (remove.textContent = "Really?");
        const release = await claim(header.id);
        if (!release) return tell(`“${header.name}” is open in another tab.`);
        await this.#store?.remove(header.id);
        release();
        await this.shelf(dialog);
      };
      list.append(make("li", {}, button, remove));
    }
    show(dialog, "Pieces", make("p", {}, make("label", {}, "This piece: ", name), " ", fresh), list);
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), PAUSE);
  }

  #save() {
    const store = this.#store;
    if (!store) return;
    const { session } = this;
    const { history } = session;
    const nodes = [...history.nodes.values()].slice(this.#saved);
    if (!history.nodes.size) return showStatus({ safe: "" }); // an empty roll is not worth a place on the shelf
    this.#saved = history.nodes.size;
    const header = {
      id: this.#piece,
      name: session.name,
      current: history.current,
      playhead: session.playhead,
      loop: session.loop,
      saved: Date.now(),
    };
    const write = () => store.save(header, nodes);
    const number = ++this.#writes;
    showStatus({ safe: "Saving …" });
    this.#writing = this.#writing.then(write).then(
      () => {
        if (number === this.#writes) showStatus({ safe: "Saved in this browser" });
      },
      (error) => this.#failed(error),
    );
  }

  /** @param {unknown} error */
  #failed(error) {
    showStatus({ safe: "Not saved: export before you close" });
    tell(`This browser does not keep your work (${told(error)}): export it before you close the page.`);
    this.#store = null;
  }
}
