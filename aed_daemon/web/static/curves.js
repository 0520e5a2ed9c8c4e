// Level and floor, and a row for each class: its score over time, its threshold, its near misses.

import { hue } from "./palette.js";
import { fit, shownS, span } from "./canvas.js";
import { darkness } from "./dom.js";

export const QUIETEST_DBFS = -90;
export const ROW_PX = 26;

export function drawLevel(canvas, track, colours) {
  const { pen, width, height } = fit(canvas);
  pen.clearRect(0, 0, width, height);
  if (track.edge === null) return;
  const { x } = span(track, width);
  const y = (cdb) => height * Math.min(1, Math.max(0, cdb / 100 / QUIETEST_DBFS));
  steps(pen, track.hops, x, (hop) => y(hop.rms), height);
  pen.globalAlpha = 0.45;
  pen.fillStyle = colours.accent;
  pen.fill();
  pen.globalAlpha = 1;
  pen.beginPath();
  track.hops.forEach((hop, at) => (at ? pen.lineTo(x(hop.end), y(hop.floor)) : pen.moveTo(x(hop.end), y(hop.floor))));
  pen.setLineDash([2, 3]);
  pen.strokeStyle = colours.text;
  pen.lineWidth = 1.5;
  pen.stroke();
  pen.setLineDash([]);
  pen.fillStyle = colours.bad;
  for (const hop of track.hops) if (hop.clipped) pen.fillRect(x(hop.end) - 3, 0, 3, 5);
}

export function drawScores(canvas, track, classes, thresholds, nears, colours) {
  const { pen, width, height } = fit(canvas);
  pen.clearRect(0, 0, width, height);
  const light = darkness.matches ? 68 : 48;
  let top = 0;
  for (const { slug, index } of classes) {
    const low = top + ROW_PX - 3;
    const y = (score) => low - score * (ROW_PX - 5);
    pen.fillStyle = colours.soft;
    pen.beginPath();
    pen.roundRect(0, top + 1, width, ROW_PX - 3, 5);
    pen.fill();
    const on = thresholds?.[slug]?.on;
    if (track.edge !== null) {
      const { x } = span(track, width);
      steps(pen, track.hops, x, (hop) => y(hop.scores[index]), low);
      pen.fillStyle = hue(index, light, 0.55);
      pen.fill();
      if (on !== undefined) above(pen, track.hops, x, y, index, on, light, low);
      for (const near of nears) if (near.class === slug) diamond(pen, x(near.end_sample), y(near.score_max), colours, width);
    }
    if (on !== undefined) threshold(pen, y(on), width, colours);
    top += ROW_PX;
  }
  axis(pen, width, height, top, colours);
}

function steps(pen, hops, x, y, low) {
  pen.beginPath();
  let before = null;
  for (const hop of hops) {
    const right = x(hop.end);
    const left = before === null ? right - 4 : before;
    if (before === null) pen.moveTo(left, low);
    pen.lineTo(left, y(hop));
    pen.lineTo(right, y(hop));
    before = right;
  }
  if (before !== null) pen.lineTo(before, low);
  pen.closePath();
}

function above(pen, hops, x, y, index, on, light, low) {
  pen.fillStyle = hue(index, light, 1);
  hops.forEach((hop, at) => {
    if (at && hop.scores[index] >= on) {
      const left = x(hops[at - 1].end);
      pen.fillRect(left, y(hop.scores[index]), x(hop.end) - left + 0.5, low - y(hop.scores[index]));
    }
  });
}

function threshold(pen, y, width, colours) {
  pen.setLineDash([4, 4]);
  pen.strokeStyle = colours.muted;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(0, y);
  pen.lineTo(width, y);
  pen.stroke();
  pen.setLineDash([]);
}

function diamond(pen, x, y, colours, width) {
  if (x < -8 || x > width + 8) return;
  pen.save();
  pen.translate(x - 4, Math.max(y, 6));
  pen.rotate(Math.PI / 4);
  pen.fillStyle = colours.card;
  pen.strokeStyle = colours.warn;
  pen.lineWidth = 1.8;
  pen.fillRect(-3.5, -3.5, 7, 7);
  pen.strokeRect(-3.5, -3.5, 7, 7);
  pen.restore();
}

function axis(pen, width, height, top, colours) {
  const seconds = shownS(width);
  pen.fillStyle = colours.muted;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  const every = seconds > 12 ? 5 : 2;
  for (let ago = every; ago < seconds; ago += every) {
    pen.fillText(`−${ago} s`, width * (1 - ago / seconds), height - 3);
  }
  pen.textAlign = "right";
  pen.fillText("now", width, height - 3);
  pen.textAlign = "left";
}
