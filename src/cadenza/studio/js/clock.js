// A worker that ticks: timers of a page that is not in sight are slowed down, a worker's are not.

/** Milliseconds between two ticks. */
const EVERY = 25;

setInterval(() => postMessage(null), EVERY);
