// The stream of what happens: server-sent events, opened again by itself, for ever.

const SILENCE_MS = 12_000; // the server says something every 5 s
const LONGEST_WAIT_MS = 15_000;
const HIDDEN_MS = 60_000; // a page that nobody sees costs the daemon nothing after so long

export class Live {
  /** @param {Record<string, (data: any) => void>} handlers by the event's name; `link(state)` besides. */
  constructor(handlers) {
    this.handlers = handlers;
    this.waitMs = 1000;
    document.addEventListener("visibilitychange", () => this.looked());
    this.open();
  }

  open() {
    clearTimeout(this.retry);
    this.close();
    this.stream = new EventSource("/live");
    for (const kind of ["hello", "hop", "gap", "sound", "label", "availability", "thresholds", "health", "lost", "beat"]) {
      this.stream.addEventListener(kind, (message) => {
        this.heard();
        if (kind === "hello") {
          this.waitMs = 1000;
          this.handlers.link("live");
        }
        this.handlers[kind]?.(JSON.parse(message.data));
      });
    }
    this.stream.addEventListener("error", () => this.broke());
    this.heard();
  }

  close() {
    clearTimeout(this.silence);
    this.stream?.close();
    this.stream = null;
  }

  heard() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.broke(), SILENCE_MS);
  }

  async broke() {
    this.close();
    clearTimeout(this.retry);
    this.handlers.link("gone");
    const waitMs = this.waitMs * (0.75 + Math.random() / 2);
    this.waitMs = Math.min(LONGEST_WAIT_MS, this.waitMs * 1.6);
    this.retry = setTimeout(() => this.open(), waitMs);
    try {
      const answer = await fetch("/api/state");
      if (answer.status === 401) location.assign("/login");
    } catch { /* it is gone: that is what the page says already */ }
  }

  looked() {
    clearTimeout(this.hidden);
    if (document.hidden) this.hidden = setTimeout(() => this.rest(), HIDDEN_MS);
    else if (!this.stream) this.open();
  }

  rest() {
    clearTimeout(this.retry);
    this.close();
    this.handlers.link("resting");
  }
}
