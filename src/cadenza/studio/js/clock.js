// A worker that ticks: timers of a page that is not in sight are slowed down, a worker's are not.

/** Milliseconds between two ticks. */
const EVERY = 25;

let timer = 0;

/** Ticks while it is told to. @param {MessageEvent<boolean>} message */
onmessage = ({ data }) => {
  clearInterval(timer);
  if (data) timer = setInterval(() => postMessage(null), EVERY);
};
