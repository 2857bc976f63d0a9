// The pieces that the browser keeps: saved as one works, each open in one tab at a time.

import { History } from "./history.js";
import { later, make, show, showStatus, tell, told } from "./page.js";
import { claim, Store } from "./store.js";
import { session } from "./studio.js";
/** @import { Change } from "./piece.js" */

/** Milliseconds after which the place of the playhead is kept. */
const PAUSE = 400;

/** @type {Store | null} */
let store = null;
let piece = "";
let saved = 0;
/** Writes begun so far: only the last of them says that all is saved. */
let writes = 0;
/** @type {(() => void) | null} */
let release = null;
/** What is being written, so that writes follow each other. */
let writing = Promise.resolve();

/** Opens the piece that this tab had, else the one that was saved last and that no other tab has, or a new one. */
export async function begin() {
  try {
    store = await Store.open();
    let elsewhere = false;
    const pieces = await store.pieces();
    const own = (/** @type {{id: string}} */ { id }) => Number(id === window.name);
    for (const { id } of pieces.sort((a, b) => own(b) - own(a))) {
      if (await load(id)) break;
      elsewhere = true;
    }
    if (elsewhere && piece) tell("The piece that was saved last is open in another tab: this is the one before.");
    else if (elsewhere) tell("Your piece is open in another tab: this is a new one.");
  } catch (error) {
    failed(error);
  }
  if (!piece) await create("Untitled");
  session.pieceChanged.on(save);
  for (const signal of [session.playheadChanged, session.settingsChanged]) signal.on(soon);
  window.addEventListener("pagehide", save);
}

/** A new piece. @param {string} name @param {string} [label] @param {Change} [change] that it begins with */
export async function create(name, label = "", change) {
  const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  take(id, await claim(id));
  saved = 0;
  session.set({ name, loop: null });
  session.setPlayhead(0);
  const history = new History();
  if (change) history.add(label, change);
  session.open(history);
}

/** Works on a piece from now on. @param {string} id @param {(() => void) | null} claimed */
function take(id, claimed) {
  session.leaving.emit(undefined);
  release?.();
  release = claimed;
  piece = id;
  window.name = id; // which the tab keeps when it is loaded anew
}

/** @param {string} id @returns {Promise<boolean>} false where another tab has it */
async function load(id) {
  const claimed = await claim(id);
  if (!claimed || !store) return false;
  const header = (await store.pieces()).find((one) => one.id === id);
  const nodes = await store.nodes(id);
  take(id, claimed);
  saved = nodes.length;
  session.open(History.from(nodes, header?.current ?? 0));
  session.set({ name: header?.name ?? "Untitled", loop: header?.loop ?? null });
  session.setPlayhead(header?.playhead ?? 0);
  showStatus({ safe: "Saved in this browser" });
  return true;
}

/** Shows all pieces. @param {HTMLDialogElement} dialog */
export async function shelf(dialog) {
  await writing;
  const name = make("input", { type: "text", value: session.name, maxlength: "80" });
  name.onchange = () => {
    session.set({ name: name.value.trim() || "Untitled" });
    save();
  };
  const fresh = make("button", {}, "New piece");
  fresh.onclick = async () => {
    dialog.close();
    await create("Untitled");
  };
  const headers = (await store?.pieces()) ?? [];
  const list = make("ul", { class: "list" });
  for (const header of headers.filter((one) => one.id !== piece)) {
    const when = new Date(header.saved).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    const button = make("button", {}, header.name, " ", make("small", {}, when));
    button.onclick = async () => {
      if (await load(header.id)) dialog.close();
      else tell(`“${header.name}” is open in another tab.`);
    };
    const remove = make("button", { class: "quiet", "aria-label": `Delete ${header.name}` }, "Delete");
    remove.onclick = async () => {
      if (remove.textContent === "Delete") return void (remove.textContent = "Really?");
      const release = await claim(header.id);
      if (!release) return tell(`“${header.name}” is open in another tab.`);
      await store?.remove(header.id);
      release();
      await shelf(dialog);
    };
    list.append(make("li", {}, button, remove));
  }
  show(dialog, "Pieces", make("p", {}, make("label", {}, "This piece: ", name), " ", fresh), list);
}

const soon = later(save, PAUSE);

function save() {
  const to = store;
  if (!to) return;
  const { history, name, playhead, loop } = session;
  const nodes = [...history.nodes.values()].slice(saved);
  if (!history.nodes.size) return showStatus({ safe: "" }); // an empty roll is not worth a place on the shelf
  saved = history.nodes.size;
  const header = { id: piece, name, current: history.current, playhead, loop, saved: Date.now() };
  const write = () => to.save(header, nodes);
  const number = ++writes;
  showStatus({ safe: "Saving …" });
  writing = writing.then(write).then(
    () => {
      if (number === writes) showStatus({ safe: "Saved in this browser" });
    },
    failed,
  );
}

/** @param {unknown} error */
function failed(error) {
  showStatus({ safe: "Not saved: export before you close" });
  tell(`This browser does not keep your work (${told(error)}): export it before you close the page.`);
  store = null;
}
