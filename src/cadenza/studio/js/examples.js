// Three beginnings to go on from, made for the studio: (pitch, start, length, velocity) in sixteenths.

/** @typedef {[pitch: number, start: number, length: number, velocity: number]} Sixteenths */
/**
 * @typedef {{name: string, told: string, qpm: number, metre: [number, number], notes: Sixteenths[],
 *   pedal: [number, number][]}} Example
 */

/** A chord broken upwards, a sixteenth or more a note. @param {number[]} pitches @param {number} start
 * @param {number} step @param {number} velocity @returns {Sixteenths[]} */
const broken = (pitches, start, step, velocity) =>
  pitches.map((pitch, i) => [pitch, start + i * step, step, velocity - 3 * (i % 2)]);

/** @param {number[]} pitches @param {number} start @param {number} length @param {number} velocity
 * @returns {Sixteenths[]} */
const together = (pitches, start, length, velocity) => pitches.map((pitch) => [pitch, start, length, velocity]);

/** @type {readonly Example[]} */
export const EXAMPLES = [
  {
    name: "Lanterns",
    told: "A song in E♭: a slow tune over rolling eighths",
    qpm: 84,
    metre: [4, 4],
    pedal: [[0, 15.5], [16, 31.5], [32, 47.5], [48, 63.5]],
    notes: [
      ...broken([39, 46, 51, 55, 58, 55, 51, 46], 0, 2, 58),
      ...broken([43, 50, 55, 58, 62, 58, 55, 50], 16, 2, 58),
      ...broken([36, 43, 48, 51, 55, 51, 48, 43], 32, 2, 58),
      ...broken([44, 51, 56, 60, 58, 56, 53, 50], 48, 2, 60),
      [70, 2, 4, 78], [72, 6, 2, 74], [75, 8, 6, 84], [74, 14, 2, 72],
      [70, 16, 6, 80], [67, 22, 2, 70], [70, 24, 8, 76],
      [67, 34, 4, 76], [70, 38, 2, 76], [72, 40, 6, 84], [75, 46, 2, 78],
      [77, 48, 6, 88], [75, 54, 2, 78], [72, 56, 4, 80], [70, 60, 4, 74],
    ],
  },
  {
    name: "Clockwork",
    told: "A study in D minor: two voices that chase each other",
    qpm: 104,
    metre: [3, 4],
    pedal: [],
    notes: [
      [62, 0, 2, 84], [65, 2, 2, 78], [69, 4, 2, 82], [74, 6, 2, 88], [73, 8, 2, 80], [69, 10, 2, 74],
      [70, 12, 2, 86], [67, 14, 2, 76], [64, 16, 2, 78], [67, 18, 2, 80], [65, 20, 1, 78], [64, 21, 1, 74], [62, 22, 2, 76],
      [69, 24, 4, 86], [67, 28, 1, 76], [65, 29, 1, 74], [64, 30, 2, 78], [65, 32, 2, 80], [62, 34, 2, 74],
      [64, 36, 2, 82], [61, 38, 2, 78], [57, 40, 2, 76], [61, 42, 2, 80], [64, 44, 2, 84], [67, 46, 2, 86],
      [50, 12, 2, 74], [53, 14, 2, 70], [57, 16, 2, 72], [62, 18, 2, 76], [61, 20, 2, 70], [57, 22, 2, 66],
      [58, 24, 2, 74], [55, 26, 2, 68], [52, 28, 2, 70], [55, 30, 2, 70], [53, 32, 2, 72], [50, 34, 2, 68],
      [45, 36, 4, 76], [49, 40, 4, 72], [52, 44, 4, 72],
      [50, 0, 12, 66],
    ],
  },
  {
    name: "Evening hymn",
    told: "A chorale in G: four voices, two phrases",
    qpm: 76,
    metre: [4, 4],
    pedal: [],
    notes: [
      ...together([43, 59, 62, 67], 0, 4, 72), ...together([47, 57, 62, 66], 4, 4, 70),
      ...together([40, 55, 59, 67], 8, 4, 74), ...together([42, 57, 62, 69], 12, 4, 76),
      ...together([43, 55, 62, 71], 16, 8, 78), ...together([48, 55, 60, 72], 24, 4, 76),
      ...together([45, 57, 60, 72], 28, 2, 76), [71, 30, 2, 70], [43, 30, 2, 66], [55, 30, 2, 66], [62, 30, 2, 66],
      ...together([42, 57, 62, 69], 32, 4, 74), ...together([43, 55, 62, 71], 36, 4, 74),
      ...together([45, 52, 60, 69], 40, 4, 76), ...together([38, 54, 60, 69], 44, 4, 74),
      ...together([43, 55, 59, 67], 48, 12, 70),
    ],
  },
];
