// Web MIDI: keyboards that are played, and instruments that play.

import { make, offer, show, told } from "./page.js";
import { Signal } from "./signal.js";
import { live, transport } from "./studio.js";

const ABSENT =
  "This browser has no Web MIDI: Chrome, Edge and Firefox have it. The keyboard on the page and the letters of your own play too.";

/** @type {MIDIAccess | null} */
let access = null;
/** @type {MIDIOutput | null} */
let output = null;
/** Whether the piano here plays too where there is an output. */
let here = true;
export const changed = new Signal();
const player = { strike, silence };

/** Names of the keyboards that are listened to. */
export const inputs = () => [...(access?.inputs.values() ?? [])].map((input) => input.name ?? "a keyboard").join(", ");

/** Shows what is connected, after asking the browser for leave. @param {HTMLDialogElement} dialog */
export async function open(dialog) {
  if (!access) {
    if (!navigator.requestMIDIAccess) return show(dialog, "MIDI", make("p", {}, ABSENT));
    try {
      access = await navigator.requestMIDIAccess();
    } catch (error) {
      return show(dialog, "MIDI", make("p", {}, `The browser gave no leave to use MIDI: ${told(error)}`));
    }
    access.onstatechange = listen;
  }
  listen();
  const select = make("select", { id: "midi-out" });
  const outputs = [...access.outputs.values()];
  offer(select, [["", "This page’s piano"], ...outputs.map((o) => /** @type {const} */ ([o.id, o.name ?? o.id]))], output?.id ?? "");
  select.onchange = () => choose(outputs.find((o) => o.id === select.value) ?? null);
  const box = make("input", { type: "checkbox", id: "midi-here" });
  box.checked = here;
  box.onchange = () => {
    here = box.checked;
    choose(output);
  };
  const heard = inputs() ? `Listening to ${inputs()}.` : "No keyboard is connected: plug one in, it is found at once.";
  show(
    dialog,
    "MIDI",
    make("p", {}, heard),
    make("p", {}, make("label", {}, "Play on ", select)),
    make("p", {}, make("label", {}, box, " and on this page’s piano")),
  );
}

function listen() {
  for (const input of access?.inputs.values() ?? []) input.onmidimessage = take;
  changed.emit(undefined);
}

/** @param {MIDIMessageEvent} event */
function take(event) {
  const [status, first, second] = event.data ?? [];
  const kind = status & 0xf0;
  if (kind === 0x90 && second > 0) live.down(first, second);
  else if (kind === 0x80 || kind === 0x90) live.up(first);
  else if (kind === 0xb0 && first === 64) live.pedal(second >= 64);
}

/** @param {MIDIOutput | null} chosen */
function choose(chosen) {
  silence();
  output = chosen;
  const { players, piano } = transport;
  players.clear();
  if (!output || here) players.add(piano);
  if (output) players.add(player);
  changed.emit(undefined);
}

/** @param {number} pitch @param {number} velocity @param {number} when @param {number} release */
function strike(pitch, velocity, when, release) {
  const { currentTime } = transport.piano.context;
  const at = (/** @type {number} */ time) => performance.now() + (time - currentTime) * 1000;
  output?.send([0x90, pitch, velocity], at(when));
  output?.send([0x80, pitch, 64], at(release));
}

function silence() {
  // What is already on its way in the browser cannot be called back everywhere: keys go up a little later, too.
  for (const after of [0, 300]) output?.send([0xb0, 123, 0], performance.now() + after);
}

live.played.on((played) => {
  if (!output) return;
  const { kind, on, pitch, velocity } = played;
  output.send(kind === "pedal" ? [0xb0, 64, on ? 127 : 0] : [on ? 0x90 : 0x80, pitch, velocity]);
});
