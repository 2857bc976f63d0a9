// What is asked of the server, and what it answers. What is sent may be sent again: it counts once.

/**
 * @typedef {{key: string, text: string, kind: "rating" | "yes_no" | "preference", lowest: number, highest: number,
 *   anchors: Record<string, string>}} Question
 * @typedef {{key: string, text: string, choices: string[]}} Background
 * @typedef {{title: string, instructions: string, claim: string, consent: string, background: Background[],
 *   questions: Question[], counting: Question, checks: boolean, trials: number, minutes: number}} Test
 * @typedef {{stage: "trial", kind: "clip" | "pair" | "check", ticket: string, place: number, trials: number, sounds: string[]}} Trial
 * @typedef {{stage: "end", changed: boolean, debriefing: string}} End
 * @typedef {Record<string, number>} Values answers by the question's key
 */

/** What the server refused, in words. */
export class RefusedError extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Milliseconds until a request is made again; longer each time. */
const SOON = 1000;
const LATE = 15000;

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/**
 * Asks until there is an answer: a server that is not there, or busy, is asked again.
 * @param {string} path @param {RequestInit} how @param {() => void} waiting called each time that there is none
 * @returns {Promise<any>} rejected with a RefusedError
 */
async function ask(path, how, waiting) {
  for (let wait = SOON; ; wait = Math.min(2 * wait, LATE)) {
    const answer = await fetch(path, how).catch(() => null);
    if (answer?.ok) return await answer.json();
    if (answer && answer.status < 500) {
      const told = await answer.json().catch(() => ({}));
      throw new RefusedError(told.error ?? `the server refused that (${answer.status})`, answer.status);
    }
    waiting();
    await pause(Math.max(wait, 1000 * Number(answer?.headers.get("retry-after") ?? 0)));
  }
}

/** @param {string} token @param {unknown} [body] @returns {RequestInit} */
const as = (token, body) => ({
  method: body ? "PUT" : "GET",
  headers: { authorization: `Bearer ${token}`, ...(body ? { "content-type": "application/json" } : {}) },
  ...(body ? { body: JSON.stringify(body) } : {}),
});

/** @param {() => void} waiting @returns {Promise<Test>} */
export const about = (waiting) => ask("api/test", {}, waiting);

/** Where a listener is. @param {string} token @param {() => void} waiting @returns {Promise<Trial | End>} */
export const state = (token, waiting) => ask("api/listener", as(token), waiting);

/**
 * Takes part. @param {string} token @param {{consent: boolean, background: Record<string, string>}} given
 * @param {() => void} waiting @returns {Promise<Trial | End>}
 */
export const begin = (token, given, waiting) => ask("api/listener", as(token, given), waiting);

/**
 * Gives the answers to a trial. @param {string} token @param {string} ticket @param {Values} values
 * @param {() => void} waiting @returns {Promise<Trial | End>}
 */
export const answer = (token, ticket, values, waiting) =>
  ask(`api/answers/${encodeURIComponent(ticket)}`, as(token, { values }), waiting);
