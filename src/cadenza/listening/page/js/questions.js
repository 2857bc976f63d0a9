// Questions as fields, and what was chosen.

import { make } from "./page.js";

/** @typedef {import("./server.js").Question} Question */

/** Answers to choose from: value, what is read large, what it means. @typedef {[value: number, large: string, small: string]} Choice */

/** @param {Question} question @returns {Choice[]} */
function choices(question) {
  if (question.kind === "yes_no") return [[1, "Yes", ""], [0, "No", ""]];
  if (question.kind === "preference") return [[1, "The first", ""], [2, "The second", ""], [0, "Neither", ""]];
  const steps = Array.from({ length: question.highest - question.lowest + 1 }, (_, i) => question.lowest + i);
  return steps.map((step) => [step, String(step), question.anchors[step] ?? ""]);
}

/** A question with a button for each answer. @param {Question} question @returns {HTMLElement} */
export function field(question) {
  const labels = choices(question).map(([value, large, small]) => {
    const radio = make("input", { type: "radio", name: question.key, value: String(value), required: "" });
    const words = small ? [make("b", {}, large), " ", make("small", {}, small)] : [make("b", {}, large)];
    return make("label", {}, radio, ...words);
  });
  // Long scales stay lines of their own.
  const row = question.kind === "rating" && labels.length <= 11 ? "scale steps" : "scale";
  return make("fieldset", {}, make("legend", {}, question.text), make("div", { class: row }, ...labels));
}

/** What was chosen. @param {HTMLFormElement} form @param {Question[]} questions @returns {Record<string, number>} */
export function values(form, questions) {
  const given = new FormData(form);
  return Object.fromEntries(questions.map(({ key }) => [key, Number(given.get(key))]));
}
