// What all canvases share: sharp pixels, and one time axis.

/** Return a canvas's pen and its size in CSS pixels, after making it as fine as the screen. */
export function fit(canvas) {
  const ratio = Math.min(3, devicePixelRatio || 1);
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { pen, width, height };
}

/** Seconds that are shown: fewer where the screen is small. */
export const shownS = (width) => Math.max(6, Math.min(30, Math.round(width / 36)));

/** Return the place of a sample, and the sample at the left edge. */
export function span(track, width) {
  const perSample = width / (shownS(width) * track.features.rate_hz);
  return {
    x: (sample) => width - (track.edge - sample) * perSample,
    first: track.edge - width / perSample,
  };
}

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
