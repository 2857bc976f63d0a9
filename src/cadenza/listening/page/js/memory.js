// What the browser remembers of a listener: a token of its own making, and answers that are not yet confirmed.

/** @typedef {{ticket: string, values: Record<string, number>}} Pending */

const TOKEN = `cadenza-listen-token:${location.pathname}`;
const PENDING = `cadenza-listen-pending:${location.pathname}`;

/** Where a browser keeps nothing, as some do in private windows, this lasts as long as the page. @type {Map<string, string>} */
const here = new Map();

/** @param {string} key @returns {string | null} */
function read(key) {
  try {
    return localStorage.getItem(key) ?? here.get(key) ?? null;
  } catch {
    return here.get(key) ?? null;
  }
}

/** @param {string} key @param {string | null} value null: forget it */
function write(key, value) {
  if (value === null) here.delete(key);
  else here.set(key, value);
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // It is kept here.
  }
}

/**
 * The token of who takes part in this browser, or null. One that stands in the address (#…) is taken over; `?new`
 * in the address forgets who took part.
 */
export function token() {
  const address = new URL(location.href);
  if (address.searchParams.has("new")) forget();
  if (/^#[\w-]{22,64}$/.test(address.hash)) write(TOKEN, address.hash.slice(1));
  if (address.hash || address.searchParams.has("new")) history.replaceState(null, "", location.pathname);
  return read(TOKEN);
}

/** A new token: 24 random bytes in letters. @returns {string} */
export function newToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/** @param {string} token of who takes part from now on */
export const remember = (token) => write(TOKEN, token);

/** Forgets who took part. */
export function forget() {
  write(TOKEN, null);
  write(PENDING, null);
}

/** Where to go on elsewhere. @param {string} token @returns {string} */
export const address = (token) => `${location.origin}${location.pathname}#${token}`;

/** Answers that were given and not yet confirmed. @returns {Pending | null} */
export function pending() {
  const kept = read(PENDING);
  return kept === null ? null : JSON.parse(kept);
}

/** @param {Pending | null} answers null: they are confirmed */
export const keep = (answers) => write(PENDING, answers && JSON.stringify(answers));
