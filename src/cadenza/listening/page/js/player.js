// Plays one clip: a button that plays and pauses, and how much was heard.

import { make, tell } from "./page.js";

/**
 * @typedef {object} Player
 * @property {HTMLElement} box
 * @property {() => void} stop
 */

/** The one that plays. @type {HTMLAudioElement | null} */
let sounding = null;

/**
 * @param {string} source @param {string} name what is played, such as "clip 1"
 * @param {() => void} heard called each time that it was heard to its end
 * @param {() => void} [begun] called each time that it begins to sound
 * @returns {Player}
 */
export function player(source, name, heard, begun = () => {}) {
  const audio = new Audio(source);
  audio.preload = "auto";
  const button = make("button", { type: "button" }, `Play ${name}`);
  const bar = make("progress", { max: "1", value: "0", "aria-label": `How much of ${name} was played` });
  const label = () => {
    button.textContent = `${audio.paused ? "Play" : "Pause"} ${name}`;
  };
  const play = () => {
    sounding?.pause();
    sounding = audio;
    tell("");
    // A clip that could not be loaded is asked for again.
    if (audio.error) audio.load();
    audio.play().catch(() => tell(`Sorry, ${name} cannot be played at this moment. Please try again.`));
  };
  button.addEventListener("click", () => (audio.paused ? play() : audio.pause()));
  audio.addEventListener("play", label);
  audio.addEventListener("pause", label);
  audio.addEventListener("playing", begun);
  audio.addEventListener("timeupdate", () => (bar.value = audio.currentTime / (audio.duration || 1)));
  audio.addEventListener("ended", () => {
    label();
    heard();
  });
  return { box: make("div", { class: "player" }, button, bar), stop: () => audio.pause() };
}
