// Colours: of the spectrogram, from silence to loud, and of the classes.

export const COLUMNS = 4096; // frames that the picture of a spectrogram holds, 41 s

const STOPS = [
  [0, 9, 11, 24], [0.22, 24, 22, 62], [0.42, 84, 33, 122], [0.6, 170, 46, 122],
  [0.76, 238, 87, 90], [0.9, 252, 170, 96], [1, 254, 240, 200],
];

const TABLE = new Uint8ClampedArray(256 * 3);
for (let value = 0; value < 256; value += 1) {
  const at = value / 255;
  const next = Math.max(1, STOPS.findIndex(([stop]) => stop >= at));
  const [low, high] = [STOPS[next - 1], STOPS[next]];
  const share = (at - low[0]) / (high[0] - low[0]);
  for (let part = 0; part < 3; part += 1) {
    TABLE[3 * value + part] = low[part + 1] + share * (high[part + 1] - low[part + 1]);
  }
}

// A quiet room is to be dark, and what is over it to stand out.
const CONTRAST = Uint8Array.from({ length: 256 }, (_, level) => 255 * Math.min(1, Math.max(0, (level - 30) / 190)) ** 1.45);

/** One frame as an image a pixel wide, low frequencies at the bottom. */
export function paint(levels) {
  const image = new ImageData(1, levels.length);
  levels.forEach((level, band) => {
    const at = 4 * (levels.length - 1 - band);
    const value = CONTRAST[level];
    image.data[at] = TABLE[3 * value];
    image.data[at + 1] = TABLE[3 * value + 1];
    image.data[at + 2] = TABLE[3 * value + 2];
    image.data[at + 3] = 255;
  });
  return image;
}

const HUES = [265, 205, 185, 330, 48, 95, 225, 15, 345, 28, 150, 300];

/** The colour of the class with an index; `light` from 0 to 100. */
export function hue(index, light = 60, alpha = 1) {
  return index < 0 ? `hsl(230 10% ${light}% / ${alpha})` : `hsl(${HUES[index % HUES.length]} 70% ${light}% / ${alpha})`;
}
