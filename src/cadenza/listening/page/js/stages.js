// The stages of a test as the listener meets them: welcome, volume, a trial, the end.

import { address } from "./memory.js";
import { make, paragraphs, progress, show } from "./page.js";
import { player } from "./player.js";
import { field, values } from "./questions.js";

/**
 * @typedef {import("./server.js").Test} Test
 * @typedef {import("./server.js").Trial} Trial
 * @typedef {import("./server.js").End} End
 * @typedef {import("./server.js").Background} Background
 */

/** @param {string} text @returns {HTMLButtonElement} */
const sender = (text) => make("button", { class: "primary" }, text);

/** Calls what is to be done when a form is sent, and sends nothing by itself.
 * @param {HTMLFormElement} form @param {() => void} done */
function whenSent(form, done) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    done();
  });
}

/**
 * What the test is about, what is agreed to, what is asked about the listener.
 * @param {Test} test @param {(given: {consent: boolean, background: Record<string, string>}) => void} done
 */
export function welcome(test, done) {
  progress(0, 0);
  const rule = "You may stop at any time and come back to this page later: it goes on where you were.";
  const counting = "Now and then you will hear single notes instead, and are asked to count them.";
  const form = make(
    "form",
    {},
    ...paragraphs(test.instructions),
    ...paragraphs(test.claim),
    make("p", {}, `It takes about ${test.minutes === 1 ? "a minute" : `${test.minutes} minutes`}. ${rule}`),
    ...(test.checks ? [make("p", {}, counting)] : []),
    ...test.background.map(background),
    ...(test.consent ? [consent(test.consent)] : []),
    sender("Begin"),
  );
  whenSent(form, () => {
    const given = new FormData(form);
    const told = test.background.map(({ key }) => [key, String(given.get(key) ?? "").trim()]);
    done({ consent: given.has("consent"), background: Object.fromEntries(told) });
  });
  show("Welcome", form);
}

/** @param {string} text @returns {HTMLElement} */
function consent(text) {
  const box = make("input", { type: "checkbox", name: "consent", required: "" });
  const agree = make("label", { class: "agree" }, box, "I agree");
  return make("fieldset", {}, make("legend", {}, "Consent"), ...paragraphs(text), agree);
}

/** @param {Background} asked @returns {HTMLElement} */
function background({ key, text, choices }) {
  const options = ["", ...choices].map((choice) => make("option", { value: choice }, choice || "No answer"));
  const input = choices.length ? make("select", { name: key }, ...options) : make("input", { name: key, maxlength: "500" });
  return make("label", { class: "field" }, make("span", {}, `${text} (you may leave this open)`), input);
}

/** @param {() => void} done called when the listener hears well */
export function volume(done) {
  const go = make("button", { class: "primary", type: "button", disabled: "" }, "I hear it well: go on");
  const { box, stop } = player("volume", "the sound", () => {}, () => (go.disabled = false));
  go.addEventListener("click", () => {
    stop();
    done();
  });
  const what = "Play this sound and set the volume of your device so that it is neither faint nor harsh. Then please leave the volume as it is. Headphones are best.";
  show("Set the volume", make("p", {}, what), box, go);
}

/** @param {Trial} trial @returns {string[]} what each sound is called */
const names = (trial) => (trial.kind === "pair" ? ["the first clip", "the second clip"] : [trial.kind === "check" ? "the notes" : "the clip"]);

/**
 * One trial. @param {Test} test @param {Trial} trial @param {string} token
 * @param {(given: Record<string, number>) => void} done
 */
export function judge(test, trial, token, done) {
  progress(trial.place - 1, trial.trials);
  const questions = trial.kind === "check" ? [test.counting] : test.questions;
  const unheard = new Set(trial.sounds);
  const answers = make("fieldset", { disabled: "" }, ...questions.map(field), sender("Next"));
  const hint = make("p", { class: "muted", role: "status" }, trial.kind === "pair" ? "Listen to both to the end, then answer." : "Listen to the end, then answer.");
  const players = trial.sounds.map((source, i) =>
    player(source, names(trial)[i] ?? "", () => {
      unheard.delete(source);
      if (unheard.size || !answers.disabled) return;
      answers.disabled = false;
      hint.textContent = "Now please answer. You may listen again first.";
    }),
  );
  const form = make("form", { class: trial.kind }, ...players.map(({ box }) => box), hint, answers);
  whenSent(form, () => {
    players.forEach(({ stop }) => stop());
    const given = values(form, questions);
    answers.disabled = true;
    done(given);
  });
  const heading = { clip: "Listen", pair: "Listen to both", check: "Count the notes" }[trial.kind];
  show(`${trial.place} of ${trial.trials}: ${heading}`, form, later(token));
}

/** How to go on elsewhere. @param {string} token @returns {HTMLElement} */
function later(token) {
  const line = make("input", { readonly: "", value: address(token) });
  line.addEventListener("focus", () => line.select());
  const words = "Your answers are kept. Open this page again on this device, or this address on another; it is yours alone.";
  return make("details", {}, make("summary", {}, "Go on later"), make("label", { class: "field" }, make("span", {}, words), line));
}

/** @param {End} end */
export function thanks(end) {
  progress(1, 1);
  const why = end.changed
    ? "The test was changed in the meantime, so it ends here for you. The answers that you gave are kept."
    : "That was all. Your answers are kept; you can close this page.";
  show("Thank you", make("p", {}, why), ...paragraphs(end.debriefing));
}
