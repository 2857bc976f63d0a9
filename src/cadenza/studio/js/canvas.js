// Canvases: as sharp as their screen, in the colours of the style sheet.

const NAMES = /** @type {const} */ ([
  "paper", "row-dark", "line-bar", "line-beat", "line-snap", "ink", "muted", "accent", "accent-soft", "key-white",
  "key-black", "key-text", "note", "select", "panel", "line",
]);

/** @typedef {Record<typeof NAMES[number], string>} Palette */

/** The colours as they are now, in light or in dark. @returns {Palette} */
export function readPalette() {
  const probe = document.body.appendChild(document.createElement("i"));
  const colours = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return /** @type {Palette} */ (Object.fromEntries(colours));
}

/** Fits a canvas to its place on the page. @param {HTMLCanvasElement} canvas
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number}} in CSS pixels */
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
