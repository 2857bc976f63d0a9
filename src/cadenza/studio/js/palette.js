// Colours of the canvases, from the style sheet: one place says what they are, in light and in dark.

const NAMES = /** @type {const} */ ([
  "paper", "row-dark", "line-bar", "line-beat", "line-snap", "ink", "muted", "accent", "accent-soft", "key-white",
  "key-black", "key-text", "note", "select", "panel", "line",
]);

/** @typedef {Record<typeof NAMES[number], string>} Palette */

/** @returns {Palette} */
export function readPalette() {
  const style = getComputedStyle(document.documentElement);
  return /** @type {Palette} */ (
    Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]))
  );
}
