// The page: what it knows, and who is told when that changes.

import { $, el, setText } from "./dom.js";
import { EventList } from "./events.js";
import { drawHealth } from "./health.js";
import { Live } from "./live.js";
import { Stage } from "./stage.js";
import { Track } from "./track.js";
import { WhatIf } from "./whatif.js";

const DRAWN_S = 45; // sounds that may lie over the spectrogram
const SLACK_S = 15; // sound is late, and a near miss is told at its end
const KEPT = 2000;
const HEALTH_MS = 5000;

const STATES = {
  running: "listening", opening: "opening", waiting: "waiting for the device", ended: "at its end",
  listening_off: "switched off", paused: "paused",
};
const LINKS = { live: "live", gone: "no answer", connecting: "connecting", resting: "resting" };

/** Whether two near misses are one: a history gives it another id than the stream. */
const isSame = (one, other) => other.kind === "near_miss" && one.class === other.class && one.source === other.source
  && Math.abs(one.start_ts - other.start_ts) < 0.5;

class Page {
  constructor() {
    this.state = null;
    this.source = null;
    this.tracks = new Map();
    this.sounds = []; // the newest onset first
    this.classes = new Map();
    this.next = null;
    this.arrivedMs = Infinity;
    this.stage = new Stage(this);
    this.events = new EventList(this);
    this.whatIf = new WhatIf(this);
    this.live = new Live({
      link: (state) => this.linked(state),
      hello: (state) => this.greet(state),
      hop: (data) => this.hop(data),
      gap: (data) => this.tracks.get(data.source)?.gap(data),
      sound: (sound) => this.hear(sound),
      label: (said) => this.said(said),
      availability: (told) => this.available(told),
      thresholds: (told) => this.retuned(told),
      health: (health) => this.healthy(health),
      lost: () => this.recall(),
    });
    setInterval(() => this.state && drawHealth(this.state, this.now()), HEALTH_MS);
  }

  get track() {
    return this.source && this.tracks.get(this.source.name);
  }

  /** The daemon's time, s since 1970. */
  now() {
    return Date.now() / 1000 + (this.aheadS ?? 0);
  }

  byId(id) {
    return this.sounds.find((sound) => sound.id === id);
  }

  thresholdOf(sound) {
    return this.state.sources.find(({ name }) => name === sound.source)?.thresholds[sound.class]?.on;
  }

  linked(state) {
    const pill = $("link");
    pill.dataset.state = state;
    setText(pill, LINKS[state]);
    if (state !== "connecting" && state !== "resting") {
      $("gone").hidden = state === "live";
      if (state === "gone") setText($("gone"), "The daemon does not answer. What you see is what it said last; the page keeps trying.");
    }
  }

  greet(state) {
    this.state = state;
    this.aheadS = state.now - Date.now() / 1000;
    this.classes = new Map(state.classes.map((kind) => [kind.slug, kind]));
    if (!this.classes.has(state.loud_sound)) this.classes.set(state.loud_sound, { label: "Loud sound", index: -1 });
    setText($("node"), state.node);
    document.title = `${state.node} – aed-daemon`;
    $("logout").hidden = !state.has.token;
    this.tracks = new Map(state.sources.map(({ name }) => [name, this.tracks.get(name) ?? new Track(state.features, state.output)]));
    this.offer(state.sources);
    this.choose(this.source?.name ?? location.hash.slice(1));
    drawHealth(state, this.now());
    this.recall();
  }

  offer(sources) {
    const tabs = $("sources");
    tabs.hidden = sources.length < 2;
    tabs.replaceChildren(tabs.firstElementChild, ...sources.map(({ name }) => {
      const choice = el("input", { type: "radio", name: "source", value: name });
      choice.addEventListener("change", () => this.choose(name));
      return el("label", {}, choice, el("span", {}, name));
    }));
  }

  choose(name) {
    this.source = this.state.sources.find((source) => source.name === name) ?? this.state.sources[0];
    for (const choice of $("sources").querySelectorAll("input")) choice.checked = choice.value === this.source.name;
    if (this.track) this.track.edge = null;
    this.stage.arrange();
    this.events.arrange();
    this.whatIf.arrange();
    this.tellSource();
  }

  tellSource() {
    const { name, state, reason } = this.source;
    const text = STATES[state] ?? state;
    setText($("source-state"), `${name}: ${reason && state !== "running" ? `${text} (${reason.replaceAll("_", " ")})` : text}`);
  }

  /** Ask for past sounds: at the beginning, and after some were not sent. */
  async recall() {
    const found = await this.ask("/api/sounds?limit=500");
    if (!found) return;
    const known = new Set(found.sounds.map((sound) => sound.id));
    const oldest = found.sounds.at(-1)?.start_ts ?? Infinity;
    // What came live meanwhile is not in the answer; what is older than its page is kept.
    const others = this.sounds.filter((sound) => !known.has(sound.id) && (sound.start_ts < oldest || sound.live)
      && !(sound.kind === "near_miss" && found.sounds.some((other) => isSame(sound, other))));
    this.sounds = [];
    this.put([...found.sounds, ...others]);
    this.next = found.next;
    setText($("kept"), found.next || this.state.has.history ? "" : "since the daemon started");
    this.arrivedMs = performance.now();
    this.redraw();
  }

  async older() {
    const found = await this.ask(`/api/sounds?limit=200&cursor=${encodeURIComponent(this.next)}`);
    if (!found) return;
    this.put(found.sounds.filter((sound) => !this.byId(sound.id)));
    this.next = found.next;
    this.redraw();
  }

  async ask(path, options) {
    try {
      const answer = await fetch(path, options);
      if (answer.ok) return await answer.json();
      setText($("announcer"), (await answer.json()).error);
    } catch { /* the stream notices that the daemon is gone, and says so */ }
    return null;
  }

  put(sounds) {
    const { rate_hz } = this.state.features;
    for (const sound of sounds) {
      if (sound.end_sample === undefined) { // of a history
        const ended = sound.start_sample !== null && sound.duration_s !== null;
        sound.end_sample = ended ? sound.start_sample + sound.duration_s * rate_hz : null;
      }
    }
    this.sounds.push(...sounds);
    this.sounds.sort((one, other) => other.start_ts - one.start_ts);
    this.sounds.length = Math.min(this.sounds.length, KEPT);
  }

  redraw() {
    this.events.draw();
    this.whatIf.draw();
  }

  hop(data) {
    this.tracks.get(data.source)?.hop(data);
    if (data.source === this.source?.name) {
      if (this.source.state !== "running") {
        this.source.state = "running";
        this.tellSource();
      }
      this.stage.figures();
    }
  }

  hear(sound) {
    if (!this.state) return;
    const before = this.byId(sound.id);
    if (before) Object.assign(before, sound, { label: before.label });
    else this.put([{ ...sound, live: true }]);
    this.redraw();
    if (sound.type === "start") {
      const name = this.classes.get(sound.class)?.label ?? sound.class;
      setText($("announcer"), `${name} at ${sound.source}${sound.score_max === null ? "" : `, score ${sound.score_max.toFixed(2)}`}`);
    }
  }

  /** Sounds of the chosen source that are recent enough to be drawn, each in a lane of its own. */
  recent() {
    const since = this.now() - DRAWN_S;
    const { track } = this;
    const found = this.sounds.filter((sound) => sound.source === this.source.name
      && (sound.start_ts > since || this.isOpen(sound)) && this.isOfThisRun(sound));
    const lanes = [];
    for (const sound of [...found].reverse()) {
      if (sound.kind !== "event") continue;
      const free = lanes.findIndex((end) => end <= sound.start_sample);
      sound.lane = free < 0 ? lanes.length : free;
      lanes[sound.lane] = (sound.end_sample ?? Infinity) + track.features.rate_hz;
    }
    return found;
  }

  /** Whether a sound goes on: one of an earlier run that was cut off has no end, and does not. */
  isOpen(sound) {
    return sound.kind === "event" && sound.end_ts === null && sound.start_ts >= this.state.started;
  }

  /** Whether a sound's samples count from where the track's do: a source that was opened anew begins at 0. */
  isOfThisRun(sound) {
    const { track } = this;
    const place = sound.start_sample ?? sound.end_sample;
    const expected = track.end - (this.now() - sound.start_ts) * track.features.rate_hz;
    return place !== null && place <= track.end && Math.abs(place - expected) < SLACK_S * track.features.rate_hz;
  }

  available({ source, online, reason }) {
    const known = this.state?.sources.find(({ name }) => name === source);
    if (!known) return;
    Object.assign(known, { state: online ? "running" : known.state === "running" ? "waiting" : known.state, reason });
    if (reason === "listening_off" || reason === "paused") known.state = reason;
    if (known === this.source) this.tellSource();
  }

  retuned({ source, thresholds }) {
    const known = this.state?.sources.find(({ name }) => name === source);
    if (!known) return;
    known.thresholds = thresholds;
    if (known === this.source) this.whatIf.arrange();
  }

  healthy(health) {
    if (!this.state) return;
    this.state.health = health;
    drawHealth(this.state, this.now());
  }

  async label(said) {
    const answer = await this.ask("/api/labels", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said),
    });
    if (!answer) return;
    this.said(answer);
    setText($("announcer"), answer.label ? `Noted: ${answer.label}` : "Taken back");
  }

  said({ id, label, missed, at, source }) {
    const sound = this.byId(id);
    if (sound) sound.label = label;
    else if (missed && this.state) {
      this.put([{
        id, kind: "missed", class: missed, source, start_ts: at, end_ts: at, duration_s: null, start_sample: null,
        end_sample: null, score_max: null, strength: null, clip: null, label,
      }]);
    }
    this.redraw();
  }
}

new Page();
