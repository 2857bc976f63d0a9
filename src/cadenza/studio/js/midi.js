// Web MIDI: keyboards that are played, and instruments that play.

import { make, offer, show, told } from "./page.js";
import { Signal } from "./signal.js";

const ABSENT =
  "This browser has no Web MIDI: Chrome, Edge and Firefox have it. The keyboard on the page and the letters of your own play too.";

export class Midi {
  /** @type {MIDIAccess | null} */
  #access = null;
  /** @type {MIDIOutput | null} */
  #output = null;
  /** Whether the piano here plays too where there is an output. */
  here = true;
  changed = new Signal();

  /** @param {import("./live.js").Live} live @param {import("./transport.js").Transport} transport */
  constructor(live, transport) {
    this.live = live;
    this.transport = transport;
    this.player = { strike: this.#strike.bind(this), silence: this.#silence.bind(this) };
    live.played.on((played) => {
      if (!this.#output) return;
      const { kind, on, pitch, velocity } = played;
      this.#output.send(kind === "pedal" ? [0xb0, 64, on ? 127 : 0] : [on ? 0x90 : 0x80, pitch, velocity]);
    });
  }

  /** Names of the keyboards that are listened to. */
  get inputs() {
    return [...(this.#access?.inputs.values() ?? [])].map((input) => input.name ?? "a keyboard");
  }

  /** Shows what is connected, after asking the browser for leave. @param {HTMLDialogElement} dialog */
  async open(dialog) {
    if (!this.#access) {
      if (!navigator.requestMIDIAccess) return show(dialog, "MIDI", make("p", {}, ABSENT));
      try {
        this.#access = await navigator.requestMIDIAccess();
      } catch (error) {
        return show(dialog, "MIDI", make("p", {}, `The browser gave no leave to use MIDI: ${told(error)}`));
      }
      this.#access.onstatechange = () => this.#listen();
    }
    this.#listen();
    const select = make("select", { id: "midi-out" });
    const outputs = [...this.#access.outputs.values()];
    offer(select, [["", "This page’s piano"], ...outputs.map((o) => /** @type {const} */ ([o.id, o.name ?? o.id]))], this.#output?.id ?? "");
    select.onchange = () => this.#choose(outputs.find((o) => o.id === select.value) ?? null);
    const here = make("input", { type: "checkbox", id: "midi-here" });
    here.checked = this.here;
    here.onchange = () => {
      this.here = here.checked;
      this.#choose(this.#output);
    };
    const heard = this.inputs.length ? `Listening to ${this.inputs.join(", ")}.` : "No keyboard is connected: plug one in, it is found at once.";
    show(
      dialog,
      "MIDI",
      make("p", {}, heard),
      make("p", {}, make("label", {}, "Play on ", select)),
      make("p", {}, make("label", {}, here, " and on this page’s piano")),
    );
  }

  #listen() {
    for (const input of this.#access?.inputs.values() ?? []) input.onmidimessage = (event) => this.#heard(event);
    this.changed.emit(undefined);
  }

  /** @param {MIDIMessageEvent} event */
  #heard(event) {
    const [status, first, second] = event.data ?? [];
    const kind = status & 0xf0;
    if (kind === 0x90 && second > 0) this.live.down(first, second);
    else if (kind === 0x80 || kind === 0x90) this.live.up(first);
    else if (kind === 0xb0 && first === 64) this.live.pedal(second >= 64);
  }

  /** @param {MIDIOutput | null} output */
  #choose(output) {
    this.#silence();
    this.#output = output;
    const { players, piano } = this.transport;
    players.clear();
    if (!output || this.here) players.add(piano);
    if (output) players.add(this.player);
    this.changed.emit(undefined);
  }

  /** @param {number} pitch @param {number} velocity @param {number} when @param {number} release */
  #strike(pitch, velocity, when, release) {
    const { currentTime } = this.transport.piano.context;
    const at = (/** @type {number} */ time) => performance.now() + (time - currentTime) * 1000;
    this.#output?.send([0x90, pitch, velocity], at(when));
    this.#output?.send([0x80, pitch, 64], at(release));
  }

  #silence() {
    // What is already on its way in the browser cannot be called back everywhere: keys go up a little later, too.
    for (const after of [0, 300]) this.#output?.send([0xb0, 123, 0], performance.now() + after);
  }
}
