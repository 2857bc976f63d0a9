// A listening test from its first to its last stage.

import { forget, keep, newToken, pending, remember, token } from "./memory.js";
import { entitle, show, tell } from "./page.js";
import * as server from "./server.js";
import { judge, thanks, volume, welcome } from "./stages.js";

const WAITING = "The server does not answer at this moment. Nothing is lost: it is asked again until it does.";
const waiting = () => tell(WAITING);

/** @type {server.Test} */
let test;

/** Whether the volume was set since the page was opened. */
let set = false;

/** Shows where the listener is. @param {string} token @param {server.Trial | server.End} state */
function go(token, state) {
  if (state.stage === "end") thanks(state);
  else if (set) judge(test, state, token, (values) => void give(token, state.ticket, values));
  else {
    volume(() => {
      set = true;
      go(token, state);
    });
  }
}

/** Gives answers, and goes on. They are remembered until they are confirmed, also where the page is closed.
 * @param {string} token @param {string} ticket @param {server.Values} values */
async function give(token, ticket, values) {
  keep({ ticket, values });
  try {
    go(token, await server.answer(token, ticket, values, waiting));
  } catch (error) {
    if (!(error instanceof server.RefusedError)) throw error;
    // Most likely it was answered in another window.
    go(token, await server.state(token, waiting));
    tell(`These answers were not taken: ${error.message}.`);
  }
  keep(null);
}

/** Goes on where a listener was. @param {string} token */
async function resume(token) {
  const unsent = pending();
  if (unsent) await give(token, unsent.ticket, unsent.values);
  else go(token, await server.state(token, waiting));
}

/** Begins with a new listener. */
function enter() {
  // One however often the button is pressed, so that nobody begins twice.
  const token = newToken();
  welcome(test, async (given) => {
    remember(token);
    try {
      go(token, await server.begin(token, given, waiting));
    } catch (error) {
      if (!(error instanceof server.RefusedError)) throw error;
      forget();
      tell(`${error.message}.`);
    }
  });
}

/** @param {unknown} error */
function fail(error) {
  show("Sorry", document.createTextNode(error instanceof Error ? error.message : String(error)));
}

async function main() {
  test = await server.about(waiting);
  entitle(test.title);
  const known = token();
  if (known === null) return enter();
  try {
    await resume(known);
  } catch (error) {
    if (!(error instanceof server.RefusedError && error.status === 404)) throw error;
    // The server knows nothing of it: its answers were taken away.
    forget();
    enter();
  }
}

main().catch(fail);
