// Small things about the page: making elements, showing a stage, telling the listener something.

/** @param {string} id @returns {HTMLElement} */
function found(id) {
  const element = document.getElementById(id);
  if (!element) throw new TypeError(`no #${id}`);
  return element;
}

/**
 * A new element. @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A text in which an empty line begins a new paragraph. @param {string} text @returns {HTMLElement[]} */
export const paragraphs = (text) =>
  text
    .split(/\n\s*\n/)
    .filter((part) => part.trim())
    .map((part) => make("p", {}, part.trim()));

/**
 * Shows a stage of the test in place of the one before; who cannot see hears its heading.
 * @param {string} heading @param {Node[]} children
 */
export function show(heading, ...children) {
  const title = make("h1", { tabindex: "-1" }, heading);
  found("stage").replaceChildren(title, ...children);
  window.scrollTo(0, 0);
  title.focus();
  tell("");
}

/** Says something that is heard too. @param {string} text empty: nothing any more */
export function tell(text) {
  found("status").textContent = text;
}

/** @param {string} title what the test is called */
export function entitle(title) {
  document.title = title;
  found("title").textContent = title;
}

/** How far the listener has come. @param {number} done @param {number} of 0: not begun */
export function progress(done, of) {
  const bar = /** @type {HTMLProgressElement} */ (found("progress"));
  bar.hidden = of === 0;
  bar.max = of || 1;
  bar.value = done;
}
