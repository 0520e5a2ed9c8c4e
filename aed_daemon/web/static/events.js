// The list of sounds: what was heard, why it was told, its clip, and what the reader says of it.

import { $, dbfs, el, moment, seconds, setText, two } from "./dom.js";
import { hue } from "./palette.js";

const FIRST = 40;

const REASONS = {
  gap: "sound was lost", device_lost: "the device went away", shutdown: "the daemon was stopped",
  interrupted: "the daemon was interrupted", listening_off: "listening was switched off", end_of_input: "the input ended",
};

export class EventList {
  constructor(page) {
    this.page = page;
    this.items = new Map();
    this.shown = FIRST;
    this.opened = null;
    $("show-near").addEventListener("change", () => this.draw());
    $("more").addEventListener("click", () => this.more());
    $("missed").addEventListener("submit", (event) => {
      event.preventDefault();
      page.label({ missed: $("missed-class").value, at: page.now(), source: page.source.name });
    });
  }

  arrange() {
    const { state } = this.page;
    $("missed").hidden = !state.has.history;
    $("missed-class").replaceChildren(...state.classes.map(({ slug, label }) => el("option", { value: slug }, label)));
    this.items.clear();
    this.draw();
  }

  async more() {
    this.shown += FIRST;
    if (this.wanted().length < this.shown && this.page.next) await this.page.older();
    this.draw();
  }

  wanted() {
    const near = $("show-near").checked;
    return this.page.sounds.filter((sound) => near || sound.kind !== "near_miss");
  }

  draw() {
    const wanted = this.wanted();
    const shown = wanted.slice(0, this.shown);
    const list = $("events");
    const ids = new Set(shown.map((sound) => sound.id));
    for (const [id, item] of this.items) {
      if (!ids.has(id)) {
        item.node.remove();
        this.items.delete(id);
      }
    }
    shown.forEach((sound, at) => {
      let item = this.items.get(sound.id);
      if (!item) {
        item = this.make(sound);
        this.items.set(sound.id, item);
      }
      this.fill(item, sound);
      if (list.children[at] !== item.node) list.insertBefore(item.node, list.children[at] ?? null);
    });
    $("nothing").hidden = shown.length > 0;
    $("more").hidden = wanted.length <= this.shown && !this.page.next;
  }

  make(sound) {
    const parts = {
      swatch: el("span", { class: "swatch" }), what: el("span", { class: "what" }),
      score: el("span", { class: "score" }), when: el("span", { class: "when" }), badge: el("span", { class: "badge" }),
    };
    const name = el("span", {}, parts.what, " ", parts.badge, " ");
    const button = el("button", { class: "sound", "aria-expanded": "false" }, parts.swatch, name, parts.score, " ", parts.when);
    const node = el("li", { "data-id": sound.id, "data-class": sound.class, "data-kind": sound.kind }, button);
    if (performance.now() - this.page.arrivedMs > 500) node.classList.add("fresh");
    button.addEventListener("click", () => this.toggle(sound.id));
    return { node, button, ...parts, details: null };
  }

  fill(item, sound) {
    const kind = this.page.classes.get(sound.class);
    const near = sound.kind === "near_miss";
    const colour = hue(kind?.index ?? -1, 58);
    item.node.classList.toggle("near", near);
    item.node.classList.toggle("dropped", this.page.whatIf.drops(sound));
    item.swatch.style.background = colour;
    item.swatch.style.borderColor = colour;
    const name = kind?.label ?? sound.class.replaceAll("_", " ");
    setText(item.what, near ? `${name}, nearly` : sound.kind === "missed" ? `${name}, missed` : name);
    setText(item.score, strength(sound));
    const long = sound.duration_s === null || sound.duration_s === undefined ? "" : ` · ${seconds(sound.duration_s)}`;
    const where = this.page.state.sources.length > 1 ? ` · ${sound.source}` : "";
    setText(item.when, `${moment(sound.start_ts)}${long}${where}`);
    const [text, style] = this.badge(sound);
    setText(item.badge, text);
    item.badge.className = `badge ${style}`;
    item.badge.hidden = !text;
    if (item.details) this.detail(item, sound);
  }

  badge(sound) {
    if (sound.label) return [sound.label, sound.label];
    if (this.page.isOpen(sound)) return ["now", "now"];
    if (this.page.whatIf.adds(sound)) return ["would start", "kept"];
    return ["", ""];
  }

  toggle(id) {
    const before = this.opened && this.items.get(this.opened);
    if (before) {
      before.button.setAttribute("aria-expanded", "false");
      before.node.classList.remove("open-item");
      before.details?.remove();
      before.details = before.told = null;
    }
    this.opened = this.opened === id ? null : id;
    const item = this.opened && this.items.get(id);
    if (!item) return;
    item.details = el("div", { class: "more-of" });
    item.button.setAttribute("aria-expanded", "true");
    item.node.classList.add("open-item");
    item.node.append(item.details);
    this.detail(item, this.page.byId(id));
  }

  /** What stands where a clip does not play: it is written some seconds after its sound. */
  later(item, sound) {
    const again = el("button", {}, "Try again");
    again.addEventListener("click", () => {
      item.told = null;
      this.detail(item, sound);
    });
    return el("p", { class: "row" }, el("span", { class: "muted" }, "There is no clip, or not yet."), again);
  }

  detail(item, sound) {
    const told = JSON.stringify([sound, this.page.thresholdOf(sound)]);
    if (item.told === told) return; // a player that plays is left alone
    item.told = told;
    const children = [el("p", {}, why(sound, this.page.thresholdOf(sound)))];
    if (sound.rms_dbfs !== undefined && sound.rms_dbfs !== null) {
      const above = sound.rms_dbfs - sound.floor_dbfs;
      const clipped = sound.clipped ? ", clipped" : "";
      children.push(el("p", { class: "muted" }, `${dbfs(sound.rms_dbfs)}, ${above.toFixed(0)} dB over the floor${clipped}`));
    }
    if (sound.clip && this.page.isOpen(sound)) {
      children.push(el("p", { class: "muted" }, "Its clip is being recorded."));
    } else if (sound.clip) {
      const path = `/clips/${sound.clip.split("/").map(encodeURIComponent).join("/")}`;
      const name = this.page.classes.get(sound.class)?.label ?? sound.class;
      const picture = el("img", { src: path.replace(/\.\w+$/, ".png"), alt: `Spectrogram of the clip of ${name}`, loading: "lazy" });
      picture.addEventListener("error", () => picture.remove());
      const player = el("audio", { src: path, preload: "metadata", "aria-label": `Clip of ${name}` });
      player.controls = true;
      player.addEventListener("error", () => player.replaceWith(this.later(item, sound)));
      children.push(picture, player);
    }
    if (this.page.state.has.history && sound.kind === "event") {
      const say = (label, text) => {
        const pressed = sound.label === label;
        const button = el("button", { "aria-pressed": String(pressed) }, text);
        button.addEventListener("click", () => this.page.label({ id: sound.id, label: pressed ? null : label }));
        return button;
      };
      children.push(el("div", { class: "row", role: "group", "aria-label": "Was it that?" },
        el("span", { class: "muted" }, "Was it that?"), say("right", "Right"), say("wrong", "Wrong")));
    }
    if (this.page.state.has.history && sound.kind === "near_miss") {
      const button = el("button", {}, "It was one: missed");
      button.addEventListener("click", () => this.page.label({ missed: sound.class, at: sound.start_ts, source: sound.source }));
      children.push(el("div", { class: "row" }, button));
    }
    item.details.replaceChildren(...children);
  }
}

function strength(sound) {
  if (sound.score_max !== null && sound.score_max !== undefined) return two(sound.score_max);
  if (sound.rms_dbfs !== null && sound.rms_dbfs !== undefined) return `+${(sound.rms_dbfs - sound.floor_dbfs).toFixed(0)} dB`;
  return "";
}

function why(sound, threshold) {
  const needs = threshold === undefined ? "" : two(threshold);
  if (sound.kind === "missed") return "Somebody said that it sounded and was not told.";
  if (sound.kind === "near_miss") {
    if (sound.strength === null || (threshold !== undefined && sound.score_max >= threshold && sound.strength < threshold)) {
      return `Its score reached ${two(sound.score_max)}, but not for long enough to start an event.`;
    }
    return `Its best score was ${two(sound.score_max)}; an event needs ${needs}.`;
  }
  const ended = sound.reason ? ` It ended because ${REASONS[sound.reason] ?? sound.reason}.` : "";
  if (sound.score_max === null) return `It was that much louder than what was there before.${ended}`;
  const held = needs ? `; an event needs ${needs}` : "";
  return `Its best score was ${two(sound.score_max)}${held}.${ended}`;
}
