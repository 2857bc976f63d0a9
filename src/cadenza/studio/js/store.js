// Keeps the work in the browser as it is done: every step of the history a record, so that nothing is written twice.

/** @import { Node } from "./history.js" */
/** @import { Span } from "./music.js" */

/**
 * What is kept of a piece beside its history.
 * @typedef {{id: string, name: string, current: number, playhead: number, loop: Span | null,
 *   saved: number}} Header
 */

const NAME = "cadenza-studio";
const VERSION = 1;

export class Store {
  /** @param {IDBDatabase} database */
  constructor(database) {
    this.database = database;
  }

  /** @returns {Promise<Store>} rejected where the browser keeps nothing */
  static async open() {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("pieces", { keyPath: "id" });
      request.result.createObjectStore("nodes", { keyPath: ["piece", "id"] });
    };
    return new Store(await done(request));
  }

  /** @returns {Promise<Header[]>} of all pieces, the last saved first */
  async pieces() {
    const headers = await done(this.database.transaction("pieces").objectStore("pieces").getAll());
    return headers.sort((a, b) => b.saved - a.saved);
  }

  /** @param {string} piece @returns {Promise<Node[]>} in order */
  async nodes(piece) {
    const range = IDBKeyRange.bound([piece, 0], [piece, Infinity]);
    return await done(this.database.transaction("nodes").objectStore("nodes").getAll(range));
  }

  /** @param {Header} header @param {readonly Node[]} nodes those that are new */
  async save(header, nodes) {
    const transaction = this.database.transaction(["pieces", "nodes"], "readwrite");
    transaction.objectStore("pieces").put(header);
    for (const node of nodes) transaction.objectStore("nodes").put({ ...node, piece: header.id });
    await finished(transaction);
  }

  /** @param {string} piece */
  async remove(piece) {
    const transaction = this.database.transaction(["pieces", "nodes"], "readwrite");
    transaction.objectStore("pieces").delete(piece);
    transaction.objectStore("nodes").delete(IDBKeyRange.bound([piece, 0], [piece, Infinity]));
    await finished(transaction);
  }
}

/** Takes a piece for this tab, for as long as it is open. @param {string} piece
 * @returns {Promise<(() => void) | null>} what gives it back; null where another tab has it */
export async function claim(piece) {
  // Browsers have no locks for pages that come from another machine without encryption.
  if (!navigator.locks) return () => {};
  return await new Promise((resolve) => {
    navigator.locks.request(`piece ${piece}`, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise((release) => resolve(() => release(undefined)));
    });
  });
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
const finished = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
