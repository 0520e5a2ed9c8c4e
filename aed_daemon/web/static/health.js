// How the daemon is, as it said last.

import { $, el, seconds, setText } from "./dom.js";

export function drawHealth(state, now) {
  const { health, model } = state;
  const figures = [["Model", model.name], ["Engine", model.exact ? `${model.engine}, exact` : model.engine]];
  if (health) {
    const known = (value, text) => (value === null ? "–" : text(value));
    figures.push(
      ["Running for", seconds(health.uptime_s + Math.max(0, now - health.at))],
      ["Processor", known(health.cpu_percent, (value) => `${value.toFixed(1)} % of a core`)],
      ["Memory", known(health.pss_mb, (value) => `${value.toFixed(0)} MB`)],
      ["Of real time", known(health.real_time_factor, (value) => `${(100 * value).toFixed(1)} %`)],
      ["Overruns", String(health.overruns), health.overruns > 0],
      ["Decisions shed", String(health.shed_hops), health.shed_hops > 0],
    );
  }
  figures.push(["Version", state.version]);
  const list = $("health");
  const nodes = figures.map(([name, text, bad]) => el("div", {}, el("dt", {}, name), el("dd", { class: bad ? "bad" : "" }, text)));
  list.replaceChildren(...nodes);
  setText($("health-age"), health ? `as of ${seconds(Math.max(0, now - health.at))} ago` : "");
}
