// Notes coloured by how unexpected they are to the composer, given what came before.

import { busy, later, tell, told } from "./page.js";
import { toWire } from "./piece.js";
import { surprise } from "./server.js";
import { session } from "./studio.js";

/** Milliseconds after a change until it is listened to anew. */
const PAUSE = 250;

export let on = false;
let listening = false;

/** Shows or hides them. */
export function toggle() {
  on = !on;
  if (on) listen();
  else session.set({ surprises: null });
}

/** Listens to what is there, and again where it has changed meanwhile. */
async function listen() {
  const { piece } = session;
  if (!on || listening) return;
  listening = true;
  try {
    const { notes } = piece.notes.length ? await busy("Listening to every note …", surprise(toWire(piece))) : { notes: [] };
    const nats = new Map(notes.map(([pitch, start, n]) => [`${start} ${pitch}`, n]));
    if (on) session.set({ surprises: new Map(piece.notes.map((n) => [n.id, nats.get(`${n.start} ${n.pitch}`) ?? 0])) });
  } catch (error) {
    on = false;
    session.set({ surprises: null });
    tell(told(error));
  }
  listening = false;
  if (piece !== session.piece) listen();
}

session.pieceChanged.on(later(listen, PAUSE));
