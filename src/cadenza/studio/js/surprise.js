// Notes coloured by how unexpected they are to the composer, given what came before.

import { busy, tell, told } from "./page.js";
import { toWire } from "./piece.js";
import { surprise } from "./server.js";

/** Milliseconds after a change until it is listened to anew. */
const PAUSE = 250;

export class Surprises {
  on = false;
  #timer = 0;
  #listening = false;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    session.pieceChanged.on(() => {
      if (!this.on) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#listen(), PAUSE);
    });
  }

  /** Shows or hides them. */
  toggle() {
    this.on = !this.on;
    if (this.on) this.#listen();
    else this.session.set({ surprises: null });
  }

  /** Listens to what is there, and again where it has changed meanwhile. */
  async #listen() {
    const { session } = this;
    const { piece } = session;
    if (this.#listening) return;
    this.#listening = true;
    try {
      const { notes } = piece.notes.length ? await busy("Listening to every note …", surprise(toWire(piece))) : { notes: [] };
      const nats = new Map(notes.map(([pitch, start, n]) => [`${start} ${pitch}`, n]));
      if (this.on) session.set({ surprises: new Map(piece.notes.map((n) => [n.id, nats.get(`${n.start} ${n.pitch}`) ?? 0])) });
    } catch (error) {
      this.on = false;
      session.set({ surprises: null });
      tell(told(error));
    }
    this.#listening = false;
    if (this.on && piece !== session.piece) this.#listen();
  }
}
