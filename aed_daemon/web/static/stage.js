// The live card: canvases that move, names and figures beside them, and the same as a table.

import { css } from "./canvas.js";
import { drawLevel, drawScores, QUIETEST_DBFS, ROW_PX } from "./curves.js";
import { $, darkness, dbfs, el, setText, stillness, two } from "./dom.js";
import { drawSpectrogram, heightOf } from "./spectrogram.js";

const STILL_MS = 1000; // between pictures, for those who want no motion
const BEST_OF_S = 30;

export class Stage {
  /** @param {object} page what is known: `state`, `source`, `track`, `sounds`. */
  constructor(page) {
    this.page = page;
    this.paused = false;
    this.rows = new Map();
    this.drawn = 0;
    this.tabled = -Infinity;
    this.colour();
    darkness.addEventListener("change", () => this.colour());
    $("table-details").addEventListener("toggle", () => {
      this.tabled = -Infinity;
      this.figures();
    });
    $("pause").addEventListener("click", () => this.pause());
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input, select, textarea, audio");
      if (event.key === "p" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) this.pause();
    });
    const turn = (now) => {
      this.turn(now);
      requestAnimationFrame(turn);
    };
    requestAnimationFrame(turn);
  }

  colour() {
    this.colours = {
      text: css("--text"), accent: css("--accent"), bad: css("--bad"), soft: css("--soft"),
      muted: css("--muted"), card: css("--card"), warn: css("--warn"),
    };
  }

  pause() {
    this.paused = !this.paused;
    $("pause").setAttribute("aria-pressed", String(this.paused));
    setText($("pause"), this.paused ? "Go on" : "Pause");
    if (!this.paused && this.page.track) this.page.track.edge = null;
  }

  /** Lay out what depends on the model alone. */
  arrange() {
    const { classes, features } = this.page.state;
    $("scores").style.height = `${classes.length * ROW_PX + 18}px`;
    const marks = [500, 1000, 2000, 4000].map((hz) => {
      const mark = el("span", {}, hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`);
      mark.style.top = `${100 * (1 - heightOf(hz, features))}%`;
      return mark;
    });
    $("frequencies").replaceChildren(...marks);
    const levels = [-30, -60].map((level) => {
      const mark = el("span", {}, `−${-level} dBFS`);
      mark.style.top = `${(100 * level) / QUIETEST_DBFS}%`;
      return mark;
    });
    $("decibels").replaceChildren(...levels);
    this.rows.clear();
    const names = [];
    const lines = [];
    for (const { slug, label } of classes) {
      const name = el("div", {}, el("b", {}, label), el("output", {}, ""));
      name.style.height = `${ROW_PX}px`;
      names.push(name);
      const cells = [0, 1, 2, 3].map(() => el("td", {}, "–"));
      lines.push(el("tr", {}, el("th", { scope: "row" }, label), ...cells));
      this.rows.set(slug, { name, now: name.lastChild, cells });
    }
    $("class-names").replaceChildren(...names);
    $("score-table").tBodies[0].replaceChildren(...lines);
  }

  turn(now) {
    const passedS = (now - (this.turned ?? now)) / 1000;
    this.turned = now;
    const { track } = this.page;
    if (!track?.last || this.paused || document.hidden) return;
    const still = stillness.matches;
    if (still && now - this.drawn < STILL_MS) return;
    this.drawn = now;
    track.advance(passedS, !still);
    const { state, source } = this.page;
    const drawn = this.page.recent();
    const events = drawn.filter((sound) => sound.kind === "event");
    const nears = drawn.filter((sound) => sound.kind === "near_miss");
    drawSpectrogram($("spectrogram"), track, events, this.page.classes);
    drawLevel($("level"), track, this.colours);
    drawScores($("scores"), track, state.classes, source.thresholds, nears, this.colours);
  }

  /** Bring figures up to date: with every piece of sound, the table once a second. */
  figures() {
    const { track, state, source } = this.page;
    const hop = track?.last;
    if (!hop || this.paused) return;
    const quiet = hop.gated ? " · too quiet for the network" : "";
    setText($("level-now"), `${dbfs(hop.rms / 100)} · floor ${dbfs(hop.floor / 100)}${quiet}`);
    const tableIsDue = $("table-details").open && performance.now() - this.tabled > 1000;
    if (tableIsDue) this.tabled = performance.now();
    const since = track.end - BEST_OF_S * track.features.rate_hz;
    for (const { slug, index } of state.classes) {
      const { name, now, cells } = this.rows.get(slug);
      const on = source.thresholds[slug]?.on;
      setText(now, two(hop.scores[index]));
      name.classList.toggle("heard", on !== undefined && hop.scores[index] >= on);
      if (!tableIsDue) continue;
      const best = Math.max(...track.hops.filter((one) => one.end > since).map((one) => one.scores[index]));
      const nears = this.page.sounds.filter((one) => one.kind === "near_miss" && one.class === slug).length;
      const figures = [two(hop.scores[index]), two(best), on === undefined ? "off" : two(on), String(nears)];
      cells.forEach((cell, at) => setText(cell, figures[at]));
    }
    if (tableIsDue) {
      setText($("level-text"), `Level ${dbfs(hop.rms / 100)}, noise floor ${dbfs(hop.floor / 100)}${quiet}.`);
    }
  }
}
