// The spectrogram, with the window that the network sees and the sounds over it.

import { COLUMNS, hue } from "./palette.js";
import { fit, span } from "./canvas.js";

const mel = (hz) => 2595 * Math.log10(1 + hz / 700);

/** Height of a frequency in a spectrogram, 0 at the bottom to 1. */
export function heightOf(hz, { fmin_hz, fmax_hz }) {
  return (mel(hz) - mel(fmin_hz)) / (mel(fmax_hz) - mel(fmin_hz));
}

export function drawSpectrogram(canvas, track, sounds, classes) {
  const { pen, width, height } = fit(canvas);
  pen.clearRect(0, 0, width, height);
  if (track.edge === null) return;
  const { x, first } = span(track, width);
  drawPicture(pen, track, first, x, width, height);
  pen.strokeStyle = "rgb(255 255 255 / .09)";
  pen.setLineDash([]);
  for (const hz of [500, 1000, 2000, 4000]) {
    const y = height * (1 - heightOf(hz, track.features));
    line(pen, 0, y, width, y);
  }
  for (const gap of track.gaps) hatch(pen, x(gap.first), x(gap.end), height);
  sounds.forEach((sound) => drawSound(pen, sound, x, width, height, classes, track));
  drawWindow(pen, track, x, height);
}

function drawPicture(pen, track, first, x, width, height) {
  const { hop_length, n_mels } = track.features;
  const firstFrame = Math.max(0, Math.floor(first / hop_length), track.painted - COLUMNS + 1);
  const lastFrame = Math.min(track.painted, Math.ceil(track.edge / hop_length));
  let frame = firstFrame;
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = "high";
  while (frame < lastFrame) { // the picture is a ring
    const column = frame % COLUMNS;
    const count = Math.min(lastFrame - frame, COLUMNS - column);
    const left = x(frame * hop_length);
    pen.drawImage(track.picture, column, 0, count, n_mels, left, 0, x((frame + count) * hop_length) - left, height);
    frame += count;
  }
}

function drawWindow(pen, track, x, height) {
  const { hop_length, patch_frames } = track.features;
  const left = x(track.last.first);
  const right = x(track.last.first + patch_frames * hop_length);
  pen.strokeStyle = "rgb(255 255 255 / .75)";
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.roundRect(left, 22, right - left - 2, height - 25, 6);
  pen.stroke();
  pen.lineWidth = 1;
}

function drawSound(pen, sound, x, width, height, classes, track) {
  const left = x(sound.start_sample);
  const right = sound.end_sample === null ? x(track.edge) : x(sound.end_sample);
  if (right < -40 || left > width) return;
  const kind = classes.get(sound.class);
  const y = 4 + 17 * sound.lane;
  pen.fillStyle = hue(kind?.index ?? -1, 60, 0.16);
  pen.fillRect(left, y, right - left, height - y);
  pen.fillStyle = hue(kind?.index ?? -1, 72, 0.95);
  pen.fillRect(left, y, 2, height - y);
  pen.font = "600 11px system-ui, sans-serif";
  const text = `${kind?.label ?? sound.class}${sound.score_max === null ? "" : ` ${sound.score_max.toFixed(2)}`}`;
  const wide = pen.measureText(text).width + 12;
  const from = Math.max(0, Math.min(left, width - wide));
  pen.beginPath();
  pen.roundRect(from, y, Math.max(wide, 0), 15, 4);
  pen.fill();
  pen.fillRect(left, y + 6, right - left, 3);
  pen.fillStyle = "#0b0d1c";
  pen.fillText(text, from + 6, y + 11.5);
}

function hatch(pen, left, right, height) {
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, right - left, height);
  pen.clip();
  pen.strokeStyle = "rgb(255 255 255 / .25)";
  for (let at = left - height; at < right; at += 8) line(pen, at, height, at + height, 0);
  pen.restore();
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}
