// The package's own piano in Web Audio: the same samples, touch, dampers and panorama as in rendered files.

import { Signal } from "./signal.js";

/** As in audio.py: amplitude grows with velocity to this power. */
const LOUDNESS = 1.6;
const LEVEL = 0.9;
/** The last key with a damper. */
const LAST_DAMPER = 89;
/** Milliseconds after which a browser that lets nothing sound has nothing to sound on. */
const PATIENCE = 4000;
/** Seconds in which an old sound gives way to a new stroke of its key. */
const RESTRIKE = 0.03;

/**
 * @typedef {{pitch: number, gain: GainNode, source: AudioBufferSourceNode, ends: number}} Voice
 * ends: time of the context at which it has died away
 */

export class Piano {
  /** @type {Map<number, AudioBuffer>} by pitch: bright channels, then dark ones */
  #samples = new Map();
  #channels = 1;
  /** @type {Map<number, Voice>} the last stroke of each key */
  #voices = new Map();
  /** @type {Set<Voice>} */
  #sounding = new Set();
  /** @type {Map<number, StereoPannerNode>} */
  #pans = new Map();
  /** Tells the share of the samples that are here. */
  loaded = /** @type {Signal<number>} */ (new Signal());
  /** Nothing is there that sound could come from. */
  mute = new Signal();

  constructor(context = new AudioContext({ latencyHint: "interactive" })) {
    this.context = context;
    this.out = new GainNode(this.context);
    const limiter = new DynamicsCompressorNode(this.context, { threshold: -3, knee: 3, ratio: 20, attack: 0.002, release: 0.2 });
    /** What is heard, as it leaves. */
    this.meter = new AnalyserNode(this.context, { fftSize: 2048 });
    this.out.connect(limiter).connect(this.meter).connect(this.context.destination);
  }

  /** Browsers let nothing sound before the user has done something. */
  async wake() {
    if (this.context.state === "running") return;
    const patience = setTimeout(() => this.mute.emit(undefined), PATIENCE);
    await this.context.resume();
    clearTimeout(patience);
  }

  /** Fetches the samples, the middle of the keyboard first. Rejects where the server does not answer. */
  async load() {
    const answer = await fetch("/api/bank");
    if (!answer.ok) throw new Error((await answer.json()).error);
    /** @type {{sample_rate: number, peaks: Record<string, number>, channels: number}} */
    const bank = await answer.json();
    this.#channels = bank.channels;
    const pitches = Object.keys(bank.peaks).map(Number);
    const queue = [...pitches].sort((a, b) => Math.abs(a - 62) - Math.abs(b - 62));
    const next = async () => {
      for (let pitch = queue.shift(); pitch !== undefined; pitch = queue.shift()) {
        const data = await (await fetch(`/api/bank/${pitch}`)).arrayBuffer();
        this.#keep(pitch, new Int16Array(data), bank.sample_rate, bank.peaks[pitch]);
        this.loaded.emit(this.#samples.size / pitches.length);
      }
    };
    await Promise.all([next(), next(), next()]);
  }

  /** @param {number} pitch @param {Int16Array} data @param {number} rate @param {number} peak */
  #keep(pitch, data, rate, peak) {
    const channels = 2 * this.#channels;
    const length = data.length / channels;
    const buffer = this.context.createBuffer(channels, length, rate);
    for (let i = 0; i < channels; i++) {
      const channel = buffer.getChannelData(i);
      for (let j = 0, k = i * length; j < length; j++, k++) channel[j] = (data[k] / 32767) * peak;
    }
    this.#samples.set(pitch, buffer);
  }

  /** Whether anything can sound. */
  get ready() {
    return this.#samples.size > 0;
  }

  /** Strikes a key. @param {number} pitch @param {number} velocity @param {number} when time of the context
   * @param {number} [release] when the damper falls; left out: when `damp` is called */
  strike(pitch, velocity, when, release) {
    const nearest = this.#nearest(pitch);
    if (nearest === undefined) return;
    const buffer = /** @type {AudioBuffer} */ (this.#samples.get(nearest));
    const time = Math.max(when, this.context.currentTime);
    const rate = 2 ** ((pitch - nearest) / 12);
    const gain = new GainNode(this.context, { gain: 1 });
    gain.connect(this.#pan(pitch));
    const loud = LEVEL * (velocity / 127) ** LOUDNESS;
    const bright = Math.min(1, Math.max(0, (velocity - 10) / 100));
    const source = new AudioBufferSourceNode(this.context, { buffer, playbackRate: rate });
    const splitter = new ChannelSplitterNode(this.context, { numberOfOutputs: 2 * this.#channels });
    const merger = new ChannelMergerNode(this.context, { numberOfInputs: this.#channels });
    source.connect(splitter);
    for (let i = 0; i < this.#channels; i++) {
      const clear = new GainNode(this.context, { gain: loud * bright });
      const dull = new GainNode(this.context, { gain: loud * (1 - bright) });
      splitter.connect(clear, i).connect(merger, 0, i);
      splitter.connect(dull, this.#channels + i).connect(merger, 0, i);
    }
    merger.connect(gain);
    const ends = time + buffer.duration / rate;
    /** @type {Voice} */
    const voice = { pitch, gain, source, ends };
    this.#giveWay(pitch, time);
    this.#voices.set(pitch, voice);
    this.#sounding.add(voice);
    source.onended = () => {
      gain.disconnect();
      this.#sounding.delete(voice);
      if (this.#voices.get(pitch) === voice) this.#voices.delete(pitch);
    };
    source.start(time);
    if (release !== undefined) this.#fall(voice, Math.max(release, time + 0.01));
  }

  /** Lets the damper fall on a key. @param {number} pitch @param {number} when */
  damp(pitch, when) {
    const voice = this.#voices.get(pitch);
    if (voice) this.#fall(voice, Math.max(when, this.context.currentTime));
  }

  /** Stills everything, also what is yet to come. */
  silence() {
    const now = this.context.currentTime;
    for (const voice of this.#sounding) this.#fade(voice, now, 0.06);
    this.#voices.clear();
  }

  /** A click of the metronome. @param {number} when @param {boolean} strong */
  click(when, strong) {
    const tone = new OscillatorNode(this.context, { frequency: strong ? 1760 : 1175, type: "triangle" });
    const gain = new GainNode(this.context, { gain: 0 });
    tone.connect(gain).connect(this.out);
    gain.gain.setValueAtTime(strong ? 0.35 : 0.2, when);
    gain.gain.exponentialRampToValueAtTime(0.001, when + 0.05);
    tone.start(when);
    tone.stop(when + 0.06);
  }

  /** The peak of what is heard right now, 0 to 1. */
  level() {
    const samples = new Float32Array(this.meter.fftSize);
    this.meter.getFloatTimeDomainData(samples);
    return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  }

  /** @param {Voice} voice @param {number} when */
  #fall(voice, when) {
    if (voice.pitch > LAST_DAMPER || when >= voice.ends) return;
    const seconds = 0.8 * 4 ** (-(voice.pitch - 21) / (LAST_DAMPER - 21));
    this.#fade(voice, when, seconds);
  }

  /** @param {number} pitch @param {number} when */
  #giveWay(pitch, when) {
    const before = this.#voices.get(pitch);
    if (before && before.ends > when) this.#fade(before, when, RESTRIKE);
  }

  /** @param {Voice} voice @param {number} when @param {number} seconds */
  #fade(voice, when, seconds) {
    voice.ends = when + seconds;
    voice.gain.gain.cancelScheduledValues(when);
    voice.gain.gain.setTargetAtTime(0, when, seconds / 6.9);
    voice.source.stop(when + seconds);
  }

  /** @param {number} pitch @returns {number | undefined} the key whose sample is nearest */
  #nearest(pitch) {
    let best;
    for (const have of this.#samples.keys()) {
      if (best === undefined || Math.abs(have - pitch) < Math.abs(best - pitch)) best = have;
    }
    return best;
  }

  /** @param {number} pitch */
  #pan(pitch) {
    let pan = this.#pans.get(pitch);
    if (!pan) {
      pan = new StereoPannerNode(this.context, { pan: this.#channels === 1 ? (0.5 * (pitch - 64.5)) / 43.5 : 0 });
      pan.connect(this.out);
      this.#pans.set(pitch, pan);
    }
    return pan;
  }
}
