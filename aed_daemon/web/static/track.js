// What has been heard of one source in the last seconds: spectrogram, scores, levels, sounds.

import { COLUMNS, paint } from "./palette.js";

const KEPT_S = 40;

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

export class Track {
  constructor(features, output) {
    this.features = features;
    this.output = output;
    this.picture = new OffscreenCanvas(COLUMNS, features.n_mels);
    this.pen = this.picture.getContext("2d");
    this.restart();
  }

  restart() {
    this.hops = [];
    this.gaps = [];
    this.end = 0; // the newest sample known
    this.painted = -1; // the frame after the last one in the picture
    this.edge = null; // the sample at the right edge of what is drawn
    this.pen.clearRect(0, 0, COLUMNS, this.features.n_mels);
  }

  hop(data) {
    const { hop_length, patch_frames } = this.features;
    if (data.end < this.end) this.restart(); // the source was opened anew
    const { scale, zero_point } = this.output;
    const scores = Float32Array.from(new Int8Array(bytes(data.scores).buffer), (step) => (step - zero_point) * scale);
    this.hops.push({ ...data, scores, rows: undefined });
    const before = data.end - KEPT_S * this.features.rate_hz;
    while (this.hops[0].end < before) this.hops.shift();
    while (this.gaps.length && this.gaps[0].end < before) this.gaps.shift();
    const last = Math.round(data.first / hop_length) + patch_frames;
    this.paint(bytes(data.rows), last);
    this.end = data.end;
  }

  paint(pixels, last) {
    const mels = this.features.n_mels;
    const first = last - pixels.length / mels;
    if (this.painted >= 0 && first > this.painted) this.wipe(Math.max(this.painted, first - COLUMNS), first);
    for (let frame = first; frame < last; frame += 1) {
      const start = (frame - first) * mels;
      this.pen.putImageData(paint(pixels.subarray(start, start + mels)), frame % COLUMNS, 0);
    }
    this.painted = last;
  }

  wipe(first, last) {
    for (let frame = first; frame < last; frame += 1) {
      this.pen.clearRect(frame % COLUMNS, 0, 1, this.features.n_mels);
    }
  }

  gap(data) {
    this.gaps.push(data);
  }

  get last() {
    return this.hops.at(-1);
  }

  /** Move the right edge on towards the newest sample, evenly, though sound comes in pieces. */
  advance(passedS, smooth) {
    const rate = this.features.rate_hz;
    const behindS = this.edge === null ? Infinity : (this.end - this.edge) / rate;
    if (!smooth || behindS > 2 || behindS < -0.5) {
      this.edge = this.end;
      return;
    }
    // A quarter of a second behind is where the next piece comes in time.
    this.edge = Math.min(this.end, this.edge + rate * passedS * (1 + 0.6 * (behindS - 0.27)));
  }
}
