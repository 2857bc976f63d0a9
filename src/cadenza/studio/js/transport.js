// Playing: what begins soon is handed to the piano a little ahead of time, so that nothing drifts or stumbles.

import { barAt, Clock, damped } from "./music.js";
import { Signal } from "./signal.js";
/** @import { Piano } from "./piano.js" */
/** @import { Session } from "./session.js" */

/** Seconds that are scheduled ahead. */
const AHEAD = 0.15;
/** Seconds between the order to play and the first sound. */
const LEAD = 0.06;

/**
 * Who plays: the piano, and MIDI outputs beside it.
 * @typedef {{strike(pitch: number, velocity: number, when: number, release: number): void, silence(): void}} Player
 */

export class Transport {
  playing = false;
  /** Whether the metronome clicks. */
  clicking = false;
  /** Whether it goes on where the music has ended, as when something is recorded. */
  endless = false;
  changed = new Signal();
  /** A note begins: told about when it is heard. @type {Signal<{pitch: number, on: boolean}>} */
  sounded = new Signal();
  /** @type {Set<Player>} */
  players = new Set();

  /** Where time and music meet: at that time of the context that tick is heard. */
  #anchor = { time: 0, tick: 0 };
  /** The same before the loop last went back, which is scheduled ahead. */
  #last = this.#anchor;
  /** Tick up to which everything is scheduled. */
  #scheduled = 0;
  #clock = new Clock([]);
  /** @type {{time: number, pitch: number, on: boolean}[]} */
  #coming = [];

  /** @param {Session} session @param {Piano} piano */
  constructor(session, piano) {
    this.session = session;
    this.piano = piano;
    this.players.add(piano);
    this.#clock = new Clock(session.piece.tempos);
    const worker = new Worker("js/clock.js", { type: "module" });
    worker.onmessage = () => this.#tick();
    this.changed.on(() => worker.postMessage(this.playing));
    session.pieceChanged.on(() => this.#retime());
    session.leaving.on(() => this.stop());
  }

  /** @param {number} [from] tick; by default the playhead */
  async play(from = this.session.playhead) {
    await this.piano.wake();
    const { loop } = this.session;
    const tick = loop && (from < loop[0] || from >= loop[1]) ? loop[0] : from;
    this.#begin(this.piano.context.currentTime + LEAD, tick);
    this.#tick();
  }

  /** Begins `beats` clicks before a tick. @param {number} tick @param {number} clicks */
  async countIn(tick, clicks) {
    await this.piano.wake();
    const { metres } = this.session.piece;
    const bar = barAt(metres, tick);
    const begin = this.piano.context.currentTime + LEAD;
    const beat = this.#clock.seconds(tick + bar.beat) - this.#clock.seconds(tick);
    for (let i = 0; i < clicks; i++) this.piano.click(begin + i * beat, i === 0);
    this.#begin(begin + clicks * beat, tick);
  }

  /** @param {number} time of the context @param {number} tick that is heard then */
  #begin(time, tick) {
    this.#anchor = this.#last = { time, tick };
    this.#scheduled = tick;
    this.playing = true;
    this.changed.emit(undefined);
  }

  stop() {
    if (!this.playing) return;
    this.session.setPlayhead(Math.max(0, this.position()));
    this.playing = false;
    for (const player of this.players) player.silence();
    for (const { pitch, on } of this.#coming) if (!on) this.sounded.emit({ pitch, on });
    this.#coming = [];
    this.changed.emit(undefined);
  }

  /** @returns {number} the tick that is heard now; before the first while it is counted in */
  position() {
    if (!this.playing) return this.session.playhead;
    return this.tickAt(this.piano.context.currentTime - (this.piano.context.outputLatency || 0));
  }

  /** The tick that is heard at a time of the context. @param {number} time */
  tickAt(time) {
    const anchor = time < this.#anchor.time ? this.#last : this.#anchor;
    return this.#clock.tick(this.#clock.seconds(anchor.tick) + time - anchor.time);
  }

  /** The time of the context at which a tick is heard. @param {number} tick */
  timeOf(tick) {
    return this.#anchor.time + this.#clock.seconds(tick) - this.#clock.seconds(this.#anchor.tick);
  }

  /** Whether it is counting in. */
  get counting() {
    return this.playing && this.piano.context.currentTime < this.#anchor.time - LEAD;
  }

  /** Keeps the place when the tempo changes while it plays. */
  #retime() {
    if (this.playing) {
      const now = this.piano.context.currentTime;
      if (now > this.#anchor.time) this.#anchor = this.#last = { time: now, tick: this.tickAt(now) };
    }
    this.#clock = new Clock(this.session.piece.tempos);
  }

  #tick() {
    if (!this.playing) return;
    const { session } = this;
    const { loop } = session;
    const now = this.piano.context.currentTime;
    const soon = now + AHEAD;
    while (loop && this.#scheduled < loop[1] && this.timeOf(loop[1]) <= soon) {
      this.#schedule(this.#scheduled, loop[1]);
      this.#last = this.#anchor;
      this.#anchor = { time: this.timeOf(loop[1]), tick: loop[0] };
      this.#scheduled = loop[0];
    }
    const horizon = this.#clock.tick(this.#clock.seconds(this.#anchor.tick) + soon - this.#anchor.time);
    if (horizon > this.#scheduled) {
      this.#schedule(this.#scheduled, horizon);
      this.#scheduled = horizon;
    }
    this.#tell(now);
    session.setPlayhead(Math.max(0, this.position()));
    const rest = barAt(session.piece.metres, this.position()).beat;
    if (!loop && !this.endless && this.position() > session.end + rest) this.stop();
  }

  /** @param {number} from @param {number} until */
  #schedule(from, until) {
    const { session } = this;
    const { pedal } = session;
    for (const n of session.heard(from, until)) {
      const when = this.timeOf(n.start);
      const release = this.timeOf(damped(pedal, n.end));
      for (const player of this.players) player.strike(n.pitch, n.velocity, when, release);
      this.#coming.push({ time: when, pitch: n.pitch, on: true }, { time: this.timeOf(n.end), pitch: n.pitch, on: false });
    }
    if (this.clicking) this.#clicks(from, until);
  }

  /** @param {number} from @param {number} until */
  #clicks(from, until) {
    const { metres } = this.session.piece;
    for (let bar = barAt(metres, from); bar.begin < until; bar = barAt(metres, bar.end)) {
      for (let tick = bar.begin; tick < bar.end; tick += bar.beat) {
        if (from <= tick && tick < until) this.piano.click(this.timeOf(tick), tick === bar.begin);
      }
    }
  }

  /** Tells of keys that go down and up about now. @param {number} now */
  #tell(now) {
    const due = this.#coming.filter((one) => one.time <= now);
    if (!due.length) return;
    this.#coming = this.#coming.filter((one) => one.time > now);
    for (const { pitch, on } of due) this.sounded.emit({ pitch, on });
  }
}
