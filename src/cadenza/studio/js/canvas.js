// Canvases: as sharp as their screen, in the colours of the style sheet.

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

/**
 * Fits a canvas to its place on the page. @param {HTMLCanvasElement} canvas
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number}} in CSS pixels
 */
export function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pixels = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) [canvas.width, canvas.height] = pixels;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}
