// What a page has one of: the piece that is open, what is seen of it, who plays it, who writes it.

import { Live } from "./live.js";
import { Piano } from "./piano.js";
import { Session } from "./session.js";
import { Takes } from "./takes.js";
import { Transport } from "./transport.js";
import { Viewport } from "./viewport.js";

/** Seconds for which a note sounds that is touched. */
const TOUCH = 0.35;

export const session = new Session();
export const view = new Viewport();
export const piano = new Piano();
export const transport = new Transport(session, piano);
export const live = new Live(piano);
export const takes = new Takes(session);

/** Sounds a note for a moment. @param {number} pitch @param {number} velocity */
export function touch(pitch, velocity) {
  piano.wake();
  const now = piano.context.currentTime;
  piano.strike(pitch, velocity, now, now + TOUCH);
}
