// Recording: a bar is counted in, then what is played becomes notes.

import { barAt } from "./music.js";
import { Catch } from "./live.js";
import { Signal } from "./signal.js";
import { live, session, transport } from "./studio.js";

/** @type {Catch | null} */
let caught = null;
export const changed = new Signal();

export const recording = () => caught !== null;

/** Counts a bar in and records from the playhead on, until playing stops. */
export async function begin() {
  transport.stop();
  const { metres } = session.piece;
  const bar = barAt(metres, session.playhead);
  transport.endless = true;
  caught = new Catch(live, transport);
  await transport.countIn(session.playhead, Math.round((bar.end - bar.begin) / bar.beat));
  changed.emit(undefined);
}

transport.changed.on(() => {
  if (transport.playing || !caught) return;
  const ended = caught;
  caught = null;
  transport.endless = false;
  ended.keep(session, "Record");
  changed.emit(undefined);
});
