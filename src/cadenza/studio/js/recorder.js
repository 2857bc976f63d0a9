// Recording: a bar is counted in, then what is played becomes notes.

import { barAt } from "./music.js";
import { fitted } from "./piece.js";
import { Catch } from "./live.js";
import { Signal } from "./signal.js";

export class Recorder {
  /** @type {Catch | null} */
  #catch = null;
  changed = new Signal();

  /** @param {import("./session.js").Session} session @param {import("./transport.js").Transport} transport
   * @param {import("./live.js").Live} live */
  constructor(session, transport, live) {
    this.session = session;
    this.transport = transport;
    this.live = live;
    transport.changed.on(() => {
      if (!transport.playing) this.#end();
    });
  }

  get recording() {
    return this.#catch !== null;
  }

  /** Counts a bar in and records from the playhead on, until playing stops. */
  async begin() {
    this.transport.stop();
    const { metres } = this.session.piece;
    const bar = barAt(metres, this.session.playhead);
    this.transport.endless = true;
    this.#catch = new Catch(this.live, this.transport);
    await this.transport.countIn(this.session.playhead, Math.round((bar.end - bar.begin) / bar.beat));
    this.changed.emit(undefined);
  }

  #end() {
    const caught = this.#catch;
    if (!caught) return;
    this.#catch = null;
    this.transport.endless = false;
    caught.end();
    commitCaught(this.session, caught, "Record");
    this.changed.emit(undefined);
  }
}

/** Makes what was caught part of the piece. @param {import("./session.js").Session} session @param {Catch} caught
 * @param {string} label */
export function commitCaught(session, caught, label) {
  const { piece } = session;
  if (!caught.notes.length) return;
  const pedal = [...piece.pedal, ...caught.pedal].sort((a, b) => a[0] - b[0]);
  const change = fitted(piece, { removed: [], added: caught.notes });
  session.commit(label, { ...change, before: { pedal: piece.pedal }, after: { pedal } });
}
