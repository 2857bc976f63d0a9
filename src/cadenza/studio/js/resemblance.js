// Which passage of other music, such as the composer learnt from, the selected notes, or all, resemble.

import { busy, tell, told } from "./page.js";
import { toWire } from "./piece.js";
import { resemblance } from "./server.js";
import { session } from "./studio.js";

let looking = false;

/** Looks, and says it. */
export async function look() {
  const { piece, selected } = session;
  if (looking) return;
  looking = true;
  const notes = selected.size ? piece.notes.filter((n) => selected.has(n.id)) : piece.notes;
  try {
    tell((await busy("Looking through other music …", resemblance(toWire({ ...piece, notes })))).text);
  } catch (error) {
    tell(told(error));
  }
  looking = false;
}
