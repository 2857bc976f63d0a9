// Everything that can be done, in a table: buttons, keys and the sheet of keys are made from it.

import { tell } from "./page.js";

/**
 * `keys` are as `keyOf` spells them. `refusal` says why it cannot be done now; `pressed` whether it is on.
 * @typedef {{id: string, title: string, group: string, keys: readonly string[], run: () => unknown,
 *   refusal?: () => string, pressed?: () => boolean}} Command
 */

const MAC = navigator.platform.startsWith("Mac");

/** @param {KeyboardEvent} event @returns {string} such as Mod+Shift+z */
export function keyOf(event) {
  const shift = event.shiftKey && (event.key.length > 1 || /[a-z]/i.test(event.key));
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return [event.ctrlKey || event.metaKey ? "Mod+" : "", event.altKey ? "Alt+" : "", shift ? "Shift+" : "", key].join("");
}

const SHOWN = /** @type {Record<string, string>} */ ({
  Mod: MAC ? "⌘" : "Ctrl",
  Shift: "Shift",
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Delete: "Del",
  Backspace: "⌫",
});

/** @param {string} key @returns {string} as on the keys */
export const shownKey = (key) =>
  key
    .split(/\+(?=.)/)
    .map((part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(" ");

/** Elements that keep their keys to themselves. @param {EventTarget | null} target @param {string} key */
function takes(target, key) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog")) return true;
  if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return !key.startsWith("Mod+") || target.type === "text";
  const button = target instanceof HTMLButtonElement || target.tagName === "SUMMARY";
  return button && (key === "Space" || key === "Enter");
}

export class Commands {
  /** @type {Map<string, Command>} */
  #byKey = new Map();

  /** @param {readonly Command[]} all */
  constructor(all) {
    this.all = all;
    this.byId = new Map(all.map((command) => [command.id, command]));
    for (const command of all) for (const key of command.keys) this.#byKey.set(key, command);
    for (const button of document.querySelectorAll("[data-command]")) this.#bind(/** @type {HTMLElement} */ (button));
    this.refresh();
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key meant something */
  key(event) {
    const key = keyOf(event);
    const command = this.#byKey.get(key);
    if (!command || takes(event.target, key)) return false;
    event.preventDefault();
    if (!command.refusal?.()) command.run();
    this.refresh();
    return true;
  }

  /** Shows what is on and what can be done. */
  refresh() {
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-command]"))) {
      const command = this.byId.get(button.dataset.command ?? "");
      if (!command) continue;
      const refusal = command.refusal?.() ?? "";
      if (refusal) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
      if (command.pressed) button.setAttribute("aria-pressed", String(command.pressed()));
      const keys = command.keys.slice(0, 1).map((key) => ` (${shownKey(key)})`).join("");
      button.title = refusal || command.title + keys;
    }
  }

  /** @param {HTMLElement} button */
  #bind(button) {
    const command = this.byId.get(button.dataset.command ?? "");
    if (!command) throw new TypeError(`no command ${button.dataset.command}`);
    if (!button.textContent?.trim()) button.setAttribute("aria-label", command.title);
    button.addEventListener("click", () => {
      const refusal = command.refusal?.();
      if (refusal) tell(refusal);
      else command.run();
      button.closest("details")?.removeAttribute("open");
      this.refresh();
    });
  }
}
