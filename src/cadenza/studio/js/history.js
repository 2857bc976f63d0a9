// What was done, as a tree: undoing and doing something else loses nothing, and every take stays a branch.

import { apply, EMPTY, inverse, reserve } from "./piece.js";
/** @import { Change } from "./piece.js" */

/**
 * @typedef {{readonly id: number, readonly parent: number, readonly label: string, readonly take: boolean,
 *   readonly change: Change}} Node
 * id counts from 1; parent 0 is the empty roll; take: whether the composer wrote it
 */

export class History {
  constructor() {
    /** @type {Map<number, Node>} */
    this.nodes = new Map();
    /** @type {Map<number, number>} the child that was last left or made, of each node */
    this.lately = new Map();
    this.current = 0;
    this.piece = EMPTY;
  }

  /** Puts back what was kept. @param {readonly Node[]} nodes in order of their numbers @param {number} current */
  static from(nodes, current) {
    const history = new History();
    for (const node of nodes) {
      history.nodes.set(node.id, node);
      history.lately.set(node.parent, node.id);
      for (const n of node.change.added) reserve(n.id);
    }
    if (history.nodes.has(current)) history.go(current);
    return history;
  }

  /** A new node below the present one. @param {string} label @param {Change} change
   * @param {{take?: boolean, stay?: boolean}} [how] stay: without going there @returns {Node} */
  add(label, change, { take = false, stay = false } = {}) {
    const node = { id: this.nodes.size + 1, parent: this.current, label, take, change };
    this.nodes.set(node.id, node);
    if (!stay) this.go(node.id);
    return node;
  }

  /** @returns {Node | undefined} what would be undone */
  get undoable() {
    return this.nodes.get(this.current);
  }

  /** @returns {Node | undefined} what would be done again */
  get redoable() {
    return this.nodes.get(this.lately.get(this.current) ?? -1);
  }

  /** Walks to a node, over the one from which both come. @param {number} id */
  go(id) {
    const here = this.#way(this.current);
    const there = this.#way(id);
    let common = 0;
    while (common < here.length && here[common] === there[common]) common++;
    for (const node of here.slice(common).reverse()) this.piece = apply(this.piece, inverse(node.change));
    for (const node of there.slice(common)) this.piece = apply(this.piece, node.change);
    for (const node of [...here, ...there]) this.lately.set(node.parent, node.id);
    this.current = id;
  }

  /** @param {number} id @returns {Node[]} from the first node down to that one */
  #way(id) {
    const way = [];
    for (let node = this.nodes.get(id); node; node = this.nodes.get(node.parent)) way.push(node);
    return way.reverse();
  }
}
