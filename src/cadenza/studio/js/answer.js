// Answer me: a phrase is played, and when it ends the composer replies in time.

import { barAt, clamp } from "./music.js";
import { Catch } from "./live.js";
import { commitCaught } from "./recorder.js";
import { Signal } from "./signal.js";

/** Seconds of silence after which a phrase is over; at a slow tempo a beat. */
const SILENCE = 0.7;
/** Seconds that the composer is given before its first note is due. */
const BREATH = 0.3;
/** Bars of the longest reply. */
const LONGEST = 8;

export class Answerer {
  on = false;
  /** What happens now, in words. */
  told = "";
  changed = new Signal();
  /** @type {Catch | null} */
  #catch = null;
  #last = 0;
  #answering = false;

  /**
   * @param {import("./session.js").Session} session
   * @param {import("./transport.js").Transport} transport
   * @param {import("./live.js").Live} live
   * @param {import("./takes.js").Takes} takes
   * @param {(begin: number, bars: number) => void} ask asks for one take of so many bars from a tick on
   */
  constructor(session, transport, live, takes, ask) {
    this.session = session;
    this.transport = transport;
    this.live = live;
    this.takes = takes;
    this.ask = ask;
    live.played.on(({ time }) => {
      this.#last = time;
    });
    session.playheadChanged.on(() => this.#listen());
    takes.started.on(() => {
      if (this.#answering) this.#say(`The first note came after ${Math.round(takes.latency)} ms.`);
    });
    takes.ended.on(() => this.#ended());
    transport.changed.on(() => {
      if (this.on && !transport.playing) this.stop();
    });
  }

  /** Begins to listen, after the end of what is there. */
  async begin() {
    const { session, transport } = this;
    transport.stop();
    const end = session.end;
    const bar = barAt(session.piece.metres, Math.max(0, end - 1));
    session.set({ loop: null });
    session.setPlayhead(end ? bar.end : 0);
    transport.endless = true;
    this.on = true;
    this.#hear();
    await transport.play();
    this.#say("Play a phrase. When you pause, the composer answers.");
  }

  stop() {
    if (!this.on) return;
    this.on = false;
    const caught = this.#catch;
    this.#catch = null;
    caught?.end();
    if (caught) commitCaught(this.session, caught, "Play");
    if (this.#answering) this.takes.cancel();
    this.transport.endless = false;
    this.transport.stop();
    this.#say("");
  }

  #hear() {
    this.#catch = new Catch(this.live, this.transport);
  }

  /** Looks whether a phrase has just ended. */
  #listen() {
    const { session, transport } = this;
    const caught = this.#catch;
    if (!this.on || this.#answering || !caught?.notes.length || caught.holding) return;
    const now = transport.piano.context.currentTime;
    const bar = barAt(session.piece.metres, transport.position());
    const beat = transport.timeOf(bar.begin + bar.beat) - transport.timeOf(bar.begin);
    if (now - this.#last < Math.max(SILENCE, beat)) return;
    this.#answering = true;
    this.#catch = null;
    caught.end();
    commitCaught(session, caught, "Play");
    const first = Math.min(...caught.notes.map((n) => n.start));
    const last = Math.max(...caught.notes.map((n) => n.end));
    const soon = transport.tickAt(now + BREATH);
    const begin = bar.begin + Math.ceil((soon - bar.begin) / bar.beat) * bar.beat;
    this.#say("The composer answers …");
    this.ask(begin, clamp(Math.round((last - first) / (bar.end - bar.begin)), 1, LONGEST));
  }

  #ended() {
    if (!this.#answering) return;
    this.#answering = false;
    const { error, latency } = this.takes;
    if (this.takes.any) this.takes.keep();
    if (!this.on) return;
    this.#hear();
    this.#say(error || `Answered; the first note came after ${Math.round(latency)} ms. Go on when you like.`);
  }

  /** @param {string} text */
  #say(text) {
    this.told = text;
    this.changed.emit(undefined);
  }
}
