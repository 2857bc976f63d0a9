// What was done, as the tree that it is: every step, and every take that was not kept, can be gone to.

import { element, make } from "./page.js";
import { session } from "./studio.js";
/** @import { Node } from "./history.js" */
/** @import { Change } from "./piece.js" */

/** Rows that are shown at most. */
const MOST = 60;

const list = element("history", HTMLElement);

/** Shows the tree: takes, beginnings and ends of branches, and how much lies between. */
function draw() {
  const { history } = session;
  /** @type {Map<number, number>} */
  const children = new Map();
  for (const node of history.nodes.values()) children.set(node.parent, (children.get(node.parent) ?? 0) + 1);
  const past = new Set();
  for (let id = history.current; id; id = history.nodes.get(id)?.parent ?? 0) past.add(id);
  const rows = [];
  let between = 0;
  for (const node of [...history.nodes.values()].reverse()) {
    const forks = (children.get(node.id) ?? 0) !== 1 || (children.get(node.parent) ?? 0) > 1;
    if (!(node.take || forks || node.id === history.current || node.id === history.nodes.size)) {
      between++;
      continue;
    }
    rows.push(row(node, past.has(node.id), between));
    between = 0;
    if (rows.length >= MOST) break;
  }
  rows.push(start(between));
  list.replaceChildren(...rows);
}

/** @param {Node} node @param {boolean} past @param {number} between */
function row(node, past, between) {
  const button = make("button", { type: "button", class: `${past ? "" : "aside"} ${node.take ? "take-mark" : ""}` }, make("span", {}, node.label));
  button.append(make("small", { class: "muted" }, amount(node.change)));
  if (node.id === session.history.current) button.setAttribute("aria-current", "true");
  button.style.paddingInlineStart = `${8 + 12 * Math.min(6, depth(node))}px`;
  button.onclick = () => session.go(node.id);
  return make("li", between ? { title: `${between} more in between` } : {}, button);
}

/** How many takes a node builds on. @param {Node} node @returns {number} */
function depth(node) {
  let depth = 0;
  for (let above = session.history.nodes.get(node.parent); above; above = session.history.nodes.get(above.parent)) {
    if (above.take) depth++;
  }
  return depth;
}

/** @param {number} between */
function start(between) {
  const button = make("button", { type: "button" }, between ? `Empty roll, ${between} steps before` : "Empty roll");
  if (!session.history.current) button.setAttribute("aria-current", "true");
  button.onclick = () => session.go(0);
  return make("li", {}, button);
}

session.pieceChanged.on(draw);
draw();

/** @param {Change} change @returns {string} how many notes it is about */
function amount({ added, removed }) {
  const number = Math.max(added.length, removed.length);
  return number ? `${number} ${number === 1 ? "note" : "notes"}` : "";
}
