// Answer me: a phrase is played, and when it ends the composer replies in time.

import { barAt, clamp } from "./music.js";
import { Catch } from "./live.js";
import { wish } from "./panel.js";
import { Signal } from "./signal.js";
import { live, session, takes, transport } from "./studio.js";

/** Seconds of silence after which a phrase is over; at a slow tempo a beat. */
const SILENCE = 0.7;
/** Seconds that the composer is given before its first note is due. */
const BREATH = 0.3;
/** Bars of the longest reply. */
const LONGEST = 8;

export let on = false;
/** What happens now, in words. */
export let told = "";
export const changed = new Signal();
/** @type {Catch | null} */
let caught = null;
/** When a key was last played. */
let lately = 0;
let answering = false;

/** Begins to listen, after the end of what is there. */
export async function begin() {
  transport.stop();
  session.set({ loop: null });
  session.setPlayhead(session.end && barAt(session.piece.metres, session.end - 1).end);
  transport.endless = true;
  on = true;
  caught = new Catch(live, transport);
  await transport.play();
  say("Play a phrase. When you pause, the composer answers.");
}

export function stop() {
  if (!on) return;
  on = false;
  caught?.keep(session, "Play");
  caught = null;
  if (answering) takes.cancel();
  transport.endless = false;
  transport.stop();
  say("");
}

/** Looks whether a phrase has just ended. */
function listen() {
  if (!on || answering || !caught?.notes.length || caught.holding) return;
  const now = transport.piano.context.currentTime;
  const bar = barAt(session.piece.metres, transport.position());
  const beat = transport.timeOf(bar.begin + bar.beat) - transport.timeOf(bar.begin);
  if (now - lately < Math.max(SILENCE, beat)) return;
  answering = true;
  const { notes } = caught;
  caught.keep(session, "Play");
  caught = null;
  const length = Math.max(...notes.map((n) => n.end)) - Math.min(...notes.map((n) => n.start));
  const soon = transport.tickAt(now + BREATH);
  const from = bar.begin + Math.ceil((soon - bar.begin) / bar.beat) * bar.beat;
  say("The composer answers …");
  const bars = clamp(Math.round(length / (bar.end - bar.begin)), 1, LONGEST);
  takes.ask({ ...wish("continue"), begin: from, bars, takes: 1 }, "Answer");
}

function ended() {
  if (!answering) return;
  answering = false;
  const { error, latency } = takes;
  if (takes.any) takes.keep();
  if (!on) return;
  caught = new Catch(live, transport);
  say(error || `Answered; the first note came after ${Math.round(latency)} ms. Go on when you like.`);
}

/** @param {string} text */
function say(text) {
  told = text;
  changed.emit(undefined);
}

live.played.on(({ time }) => {
  lately = time;
});
session.playheadChanged.on(listen);
takes.started.on(() => {
  if (answering) say(`The first note came after ${Math.round(takes.latency)} ms.`);
});
takes.ended.on(ended);
transport.changed.on(() => {
  if (on && !transport.playing) stop();
});
