// Files in and out: MIDI files that are dropped or opened; MIDI, sound and sheet music that are exported.

import { EMPTY, framed, lengthOf, note, toWire } from "./piece.js";
import { busy, tell, told } from "./page.js";
import { exported, read } from "./server.js";
import { session } from "./studio.js";
/** @import { Change } from "./piece.js" */
/** @import { Kind } from "./server.js" */

/** As the server has it. */
const MOST_BYTES = 32 * 2 ** 20;

/**
 * Reads a MIDI file. @param {File} file
 * @returns {Promise<{change: Change, name: string, remarks: readonly string[]} | null>}
 * what opening it does to an empty roll; null where it cannot be read, which was told
 */
export async function opened(file) {
  if (file.size > MOST_BYTES) {
    tell(`${file.name} has ${Math.ceil(file.size / 2 ** 20)} MiB: up to ${MOST_BYTES / 2 ** 20} can be read.`);
    return null;
  }
  try {
    const { piece, remarks } = await busy("Reading the file …", read(file));
    const { notes, ...frame } = piece;
    const added = notes.map(([pitch, start, end, velocity]) => note(pitch, start, end, velocity));
    return { change: { ...framed(EMPTY, frame), added }, name: file.name.replace(/\.[^.]*$/, ""), remarks };
  } catch (error) {
    tell(told(error));
    return null;
  }
}

/** Exports the piece as a download. @param {Kind} kind */
export async function exportPiece(kind) {
  if (!lengthOf(session.piece)) return tell("There is nothing to export yet: the roll is empty.");
  try {
    const doing = kind === "wav" ? "Rendering the sound …" : "Writing the file …";
    const blob = await busy(doing, exported(kind, toWire(session.piece)));
    save(blob, fileName(kind));
  } catch (error) {
    tell(told(error));
  }
}

/** What a file of the piece is called. @param {Kind} kind */
const fileName = (kind) => {
  const name = session.name.replace(/[^\p{L}\p{N} _.-]+/gu, "").trim() || "cadenza";
  return `${name}.${kind === "midi" ? "mid" : kind}`;
};

/**
 * Lets a button be dragged to another program as a MIDI file, in browsers that can do that. The file has to be there
 * when the drag begins, so it is made when its menu opens. @param {HTMLDetailsElement} menu
 * @param {HTMLElement} button
 */
export function dragsOut(menu, button) {
  let url = "";
  menu.addEventListener("toggle", async () => {
    URL.revokeObjectURL(url);
    url = "";
    button.draggable = false;
    if (!menu.open || !lengthOf(session.piece)) return;
    const blob = await exported("midi", toWire(session.piece)).catch(() => null);
    if (!blob) return; // a click says why
    url = URL.createObjectURL(blob);
    button.draggable = true;
  });
  button.addEventListener("dragstart", (event) => {
    event.dataTransfer?.setData("DownloadURL", `audio/midi:${fileName("midi")}:${url}`);
  });
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
