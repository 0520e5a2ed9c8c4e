// What another threshold would have kept: computed here, from past sounds. Nothing changes in the daemon.

import { $, el, setText, svg, two } from "./dom.js";
import { hue } from "./palette.js";

const INSET = 8; // half of a slider's thumb: its middle is what it means
const MOST_DOTS = 200;

export class WhatIf {
  constructor(page) {
    this.page = page;
    this.rows = new Map();
    this.moved = new Map(); // by source and class
    $("reset").addEventListener("click", () => this.reset());
    $("copy").addEventListener("click", async () => {
      await navigator.clipboard?.writeText($("proposal").querySelector("pre").textContent);
      setText($("copy"), "Copied");
      setTimeout(() => setText($("copy"), "Copy"), 1500);
    });
    new ResizeObserver(() => this.draw()).observe($("what-if"));
  }

  arrange() {
    this.rows.clear();
    const { state, source } = this.page;
    const items = [];
    for (const kind of state.classes) {
      if (!source.thresholds[kind.slug]) continue; // it is switched off
      const id = `threshold-${kind.slug}`;
      const slider = el("input", { id, type: "range", min: "0.02", max: "1", step: "0.01", "aria-describedby": `${id}-verdict` });
      const row = {
        kind, slider, dots: svg("svg", { "aria-hidden": "true" }), value: el("output", { for: id }),
        verdict: el("span", { class: "verdict", id: `${id}-verdict` }),
      };
      row.node = el("li", { "data-class": kind.slug }, el("label", { for: id }, kind.label),
        el("div", { class: "strip" }, row.dots, slider), row.value, row.verdict);
      slider.addEventListener("input", () => {
        this.moved.set(this.key(kind.slug), Number(slider.value));
        this.drawRow(row);
        this.propose();
        this.page.events.draw();
      });
      this.rows.set(kind.slug, row);
      items.push(row.node);
    }
    $("what-if").replaceChildren(...items);
    this.draw();
  }

  key(slug) {
    return `${this.page.source.name}\n${slug}`;
  }

  reset() {
    this.moved.clear();
    this.draw();
    this.page.events.draw();
    $("thresholds-title").scrollIntoView({ block: "nearest" });
  }

  now(slug) {
    return this.page.source.thresholds[slug]?.on;
  }

  wanted(slug) {
    return this.moved.get(this.key(slug)) ?? this.now(slug);
  }

  hasMoved(sound) {
    return sound.source === this.page.source?.name && this.moved.has(this.key(sound.class));
  }

  drops(sound) {
    return sound.kind === "event" && sound.score_max !== null && this.hasMoved(sound)
      && (sound.strength ?? sound.score_max) < this.wanted(sound.class);
  }

  adds(sound) {
    return sound.kind === "near_miss" && this.hasMoved(sound) && sound.strength !== null
      && sound.strength >= this.wanted(sound.class);
  }

  of(slug, kind) {
    const name = this.page.source.name;
    return this.page.sounds.filter((sound) => sound.kind === kind && sound.class === slug && sound.source === name);
  }

  draw() {
    for (const row of this.rows.values()) this.drawRow(row);
    this.propose();
  }

  drawRow(row) {
    const { slug, index } = row.kind;
    const wanted = this.wanted(slug);
    const moved = this.moved.has(this.key(slug));
    if (document.activeElement !== row.slider || !moved) row.slider.value = String(wanted);
    row.slider.setAttribute("aria-valuetext", two(wanted));
    setText(row.value, two(wanted));
    row.node.classList.toggle("moved", moved);
    const events = this.of(slug, "event");
    const nears = this.of(slug, "near_miss");
    const kept = events.filter((sound) => (sound.strength ?? sound.score_max) >= wanted).length;
    const added = nears.filter((sound) => sound.strength !== null && sound.strength >= wanted).length;
    setText(row.verdict, verdict(events.length, kept, nears.length, added, moved));
    this.drawDots(row, [...nears, ...events].slice(-MOST_DOTS), wanted, index);
  }

  drawDots(row, sounds, wanted, index) {
    const width = Math.max(60, row.dots.clientWidth || row.slider.clientWidth);
    const x = (score) => INSET + ((Math.min(1, Math.max(0.02, score)) - 0.02) / 0.98) * (width - 2 * INSET);
    const marks = sounds.filter((sound) => sound.score_max !== null).map((sound) => {
      const near = sound.kind === "near_miss";
      const value = near ? sound.score_max : sound.strength ?? sound.score_max;
      const inside = value >= wanted && sound.strength !== null;
      // Those that would lie on each other are spread in height, always the same way.
      const height = 5 + (parseInt(sound.id.slice(-2), 36) % 14);
      const colour = near ? "var(--warn)" : hue(index, 58);
      return svg("circle", {
        cx: x(value).toFixed(1), cy: height, r: near ? 3 : 4.2, fill: colour, stroke: colour, class: inside ? "in" : "out",
      });
    });
    const at = x(this.now(row.kind.slug));
    row.dots.replaceChildren(svg("line", { x1: at, x2: at, y1: 0, y2: 30 }), ...marks);
  }

  propose() {
    const lines = [];
    for (const [key, value] of this.moved) {
      const [source, slug] = key.split("\n");
      if (source === this.page.source.name) lines.push(`[detection.classes.${slug}]`, `threshold_on = ${two(value)}`, "");
    }
    $("proposal").hidden = lines.length === 0;
    setText($("proposal").querySelector("pre"), lines.join("\n").trim());
  }
}

function verdict(events, kept, nears, added, moved) {
  if (!events && !nears) return "nothing heard yet";
  const known = [
    events ? `${moved ? `keeps ${kept} of ${events}` : events} event${events === 1 ? "" : "s"}` : "no events",
    nears ? `${moved && added ? `adds ${added} of ${nears}` : nears} near miss${nears === 1 ? "" : "es"}` : "",
  ];
  return known.filter(Boolean).join(", ");
}
