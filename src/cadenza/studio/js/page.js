// Small things about the page: finding elements, making them, telling the user something.

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new TypeError(`no ${kind.name} #${id}`);
  return found;
}

/** A new element. @template {keyof HTMLElementTagNameMap} K @param {K} tag
 * @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]} */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @param {HTMLSelectElement} select @param {Iterable<readonly [value: string, text: string]>} options
 * @param {string} [chosen] */
export function offer(select, options, chosen) {
  select.replaceChildren(...[...options].map(([value, text]) => new Option(text, value)));
  if (chosen !== undefined) select.value = chosen;
}

/** Milliseconds for which a message that asks for nothing stays, and more for each of its letters. */
const STAY = 4000;
const STAY_A_LETTER = 70;

/** Tells the user something. @param {string} text
 * @param {{title: string, run: () => void}} [action] what can be done about it */
export function tell(text, action) {
  const box = make("div", { class: "message" }, make("p", {}, text));
  const close = () => box.remove();
  if (action) {
    const button = make("button", {}, action.title);
    button.onclick = () => {
      close();
      action.run();
    };
    box.append(button);
  }
  const dismiss = make("button", { "aria-label": "Dismiss" }, "×");
  dismiss.onclick = close;
  box.append(dismiss);
  const messages = element("messages", HTMLElement);
  for (const other of messages.children) if (other.textContent === box.textContent) other.remove();
  messages.append(box);
  if (!action) setTimeout(close, STAY + STAY_A_LETTER * text.length);
}

/** What is being done and takes long, and whether the work is safe. */
const status = { doing: "", safe: "" };

/** Says what is being done, or else whether the work is safe. @param {Partial<typeof status>} news */
export function showStatus(news) {
  Object.assign(status, news);
  const place = element("saved", HTMLElement);
  const text = status.doing || status.safe;
  if (place.textContent !== text) place.textContent = text;
  place.ariaBusy = String(status.doing !== "");
}

/** Says what is being done for as long as it takes. @template T @param {string} doing @param {Promise<T>} work */
export async function busy(doing, work) {
  showStatus({ doing });
  return await work.finally(() => showStatus({ doing: "" }));
}

/** Says something to those who listen to a screen reader. @param {string} text */
export const say = (text) => {
  element("say", HTMLElement).textContent = text;
};

/** What does something a while after it was last asked to. @param {() => void} act @param {number} pause milliseconds */
export function later(act, pause) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, pause);
  };
}

/** What something gives, or nothing where the browser forbids it. @template T @param {() => T} act */
export function tried(act) {
  try {
    return act();
  } catch {
    return null;
  }
}

/** What went wrong, in words. @param {unknown} error */
export const told = (error) => (error instanceof Error ? error.message : String(error));

/** Fills a dialog and shows it. @param {HTMLDialogElement} dialog @param {string} title @param {Node[]} content */
export function show(dialog, title, ...content) {
  const close = make("button", { class: "quiet" }, "Close");
  close.onclick = () => dialog.close();
  const heading = make("h2", { id: dialog.getAttribute("aria-labelledby") ?? "" }, title);
  dialog.replaceChildren(make("header", {}, heading, close), ...content);
  if (!dialog.open) dialog.showModal();
}
