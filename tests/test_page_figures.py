"""Figures in README and docs are those that were recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
CLIPS = ROOT / "docs" / "clips.md"
BOARDS, CONTROLLERS = ROOT / "docs" / "linux-boards.md", ROOT / "docs" / "microcontrollers.md"


def recorded(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "benchmarks" / name).read_text(encoding="utf-8")))


def assert_said(page: Path, *figures: str) -> None:
    """Fail where a page does not say what it should, however its lines are broken."""
    text = " ".join(page.read_text(encoding="utf-8").split())
    for figure in figures:
        assert figure in text, f"{page.name} should say: {figure}"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}f} %"


def millions(count: float) -> str:
    return f"{count / 1e6:.1f} M"


def test_microcontrollers_by_mode() -> None:
    found = recorded("mcu.json")
    patch, windows, stream = modes = [found[mode] for mode in ("patch", "incremental", "stream")]
    systems = [found["system"]["modes"][mode] for mode in ("patch", "incremental", "stream")]
    hops = [system["hop_frames"] for system in systems]
    a_second = (
        patch["instructions"]["m33"] * 100 / hops[0],
        windows["instructions"] * 100 / hops[1],
        stream["instructions_per_audio_s"],
    )
    assert_said(
        CONTROLLERS,
        row("a decision every", *(f"{hop * 10} ms" for hop in hops)),
        row("instructions of the network, a second of sound", *map(millions, a_second)),
        row("RAM of the network", *(f"{mode['ram_bytes']:,} B" for mode in modes)),
        row("RAM of the whole", *(f"{system['ram_bytes']:,} B" for system in systems)),
        row("flash of the whole", *(f"{system['flash_bytes']:,} B" for system in systems)),
    )


def test_microcontrollers_in_words() -> None:
    found = recorded("mcu.json")
    patch, front = found["patch"], found["front_end"]
    cores = [millions(patch["instructions"][core]) for core in ("m33", "m4", "m7")]
    assert_said(
        CONTROLLERS,
        f"{cores[0]} instructions on the M33, {cores[1]} on the M4 and {cores[2]} on the M7",
        f"10 ms of sound {front['instructions_per_frame']:,}",
        f"`aed_step` at most {patch['step_instructions_max']:,}",
        f"{patch['weights_bytes']:,} B of weights and biases",
        f"{patch['code_bytes']:,} B of code",
        f"{patch['stack_bytes']:,} B of stack",
        f"{patch['differing_bytes']} differing bytes in the scores of {patch['host_patches']:,} patches",
        f"{patch['qemu_patches']} on each emulated core",
        f"{percent(front['equal_bins'], 3)} of the bins of its features",
        f"none off by more than {front['max_abs_diff']}",
        f"stream mode recognises {percent(found['stream']['clip_accuracy'])}",
    )
    assert_said(
        README,
        f"{cores[0]} instructions",
        f"{patch['ram_bytes']:,} B of RAM",
        f"{found['system']['ram_bytes']:,} B of RAM and {found['system']['flash_bytes']:,} B of flash",
        f"{patch['host_patches']:,} patches",
    )


def test_engines() -> None:
    found = recorded("results.json")
    least, differing = found["engine_ms"], found["engine_differing_patches"]
    assert differing["native"] == 0
    against = found["details"]["engines"]["differing"]
    steps = {name: of["tflite_reference"]["steps"] for name, of in against.items()}
    ms = {name: f"{time:.2g} ms" for name, time in least.items()}
    assert_said(
        BOARDS,
        f"{ms['native']} | 0 |",
        f"{ms['tflite']} | {differing['tflite']:,}, by {steps['tflite']} |",
        f"{ms['litert']} | {differing['litert']:,}, by up to {steps['litert']} |",
        f"other scores, of {differing['n']:,}",
    )
    assert_said(
        README,
        f"on {differing['n']:,} patches of ESC-10 native gives its scores byte for byte",
        f"tflite differs in {differing['tflite']:,}, by {steps['tflite']} step of 256",
        f"litert in {differing['litert']:,}, by up to {steps['litert']}",
        f"takes {ms['native']}, {ms['tflite']} and {ms['litert']}",
    )


def test_the_model() -> None:
    found = recorded("accuracy.json")
    clips, real = found["esc10"]["distilled"]["int8"], found["details"]["false_alarms"]["real"]
    low, high = (f"{100 * end:.1f}" for end in clips["ci95"])
    alarms = f"it started {real['per_hour']:.0f} events an hour"
    assert_said(
        README,
        f"{percent(clips['clip_accuracy'])} of its clips (int8, {clips['n']} clips, {low} to {high})",
        f"{percent(found['robust']['phone_8k']['clip_accuracy'], 0)} of them sampled at 8 kHz",
        f"start an event of the right class for {percent(found['deployed']['clip_recall'])}",
        f"in {real['hours']:.0f} hours of game music, effects and foreign speech {alarms}",
    )


def test_speed_and_memory() -> None:
    found = recorded("results.json")
    replay, latency = found["replay_x_realtime"], found["latency_s"]
    late = f"median {latency['median']:.2f} s, 95th percentile {latency['p95']:.2f} s"
    missed = latency["misses"] or "none"
    assert_said(
        README,
        f"{replay['litert']:.0f} x real time on litert, {replay['tflite']:.0f} x on tflite-runtime",
        f"| log-mel per 10 ms frame | {found['log_mel_us_per_frame']['ours']:.1f} µs |",
        f"| {found['resample_ms_per_audio_s']:.2f} ms per second of audio |",
        f"| {late} ({latency['n']} held-out clips, {missed} missed) |",
        f"| {found['pss_mb']:.0f} MB with the capture process |",
        f"| {found['ready_s']:.2f} s |",
        f"| `systemd-analyze security` | {found['systemd_exposure']:.1f} |",
    )


def test_what_chaos_left() -> None:
    found = recorded("reliability.json")
    chaos, done = found["chaos"], found["details"]["chaos"]["done"]
    broken = sum(count for what, count in done.items() if "start" not in what and "restore" not in what)
    kept = ("lost", "out_of_order", "unannounced_holes", "open_ids")
    assert not any(chaos[what] for what in kept)
    assert chaos["events"] >= 1_000
    assert_said(
        README,
        f"broke {broken} times: of {chaos['events']:,} events none was lost or out of order, none left open",
        f"none left open, {chaos['repeated']} deliveries were repetitions",
        f"leaves the daemon {found['soak']['pss_growth_mb']:.1f} MB larger after its first hour",
    )


def test_a_microphone_that_comes_back() -> None:
    found = recorded("reliability.json")["microphone"]
    assert_said(
        README,
        f"it took {found['recovery_median_s']:.1f} s in the median of {found['trials']} trials, "
        f"{found['recovery_s']:.1f} s at most",
    )


def test_clips() -> None:
    found = recorded("web.json")
    costs = {name: took["median"] for name, took in found["clips"]["cpu_s_per_hour"].items()}
    events = found["details"]["clip_onset_error_ms_max"]["events"]
    assert_said(
        CLIPS,
        f"Of {events} sounds",
        f"{found['clip_onset_error_ms_max']} ms at most",
        f"{found['clips']['sounds_per_hour']} clips an hour",
        f"took {costs['on']} s of processor time",
        f"{costs['off']} s without clips, and {costs['nothing_recorded']} s where",
    )


def test_the_live_page() -> None:
    found = recorded("web.json")
    late, cost = found["event_to_page_ms"], found["cpu_percent"]
    told = found["details"]["cpu_percent"]
    assert_said(
        ROOT / "docs" / "web.md",
        f"median {late['median']:.0f} ms, 95th percentile {late['p95']:.0f} ms",
        f"of {found['details']['event_to_page_ms']['events']} events",
        f"{cost['viewer']:.2f} % of a core with a page open",
        f"{cost['idle']:.2f} % without",
        f"{min(told['viewer_over_off']):.2f} to {max(told['viewer_over_off']):.2f} %",
        f"{min(told['idle_over_off']):.2f} to {max(told['idle_over_off']):.2f} %",
        f"in {len(told['daemon']['off'])} rounds of {told['seconds']:.0f} s",
    )
    assert found["axe_violations"] == 0
