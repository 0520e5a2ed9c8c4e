"""A report as text for people, and as a picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from model_tools.export import memory_map
from model_tools.export.memory_map import Region


def as_text(report: Mapping[str, Any]) -> str:
    """Return the text of report.txt."""
    model, target = report["model"], report["target"]
    head = (
        f"{model['name']} {model['version']} for {target['name']} ({target['part']})\n"
        f"mode {report['mode']}, a decision every {report['hop_frames'] * 10} ms\n"
        f"model sha256 {model['sha256']}\nfeatures {model['spec_id']}\n"
        f"reference: {report['reference']}\n"
    )
    parts = [
        head,
        _latency_text(report),
        "LAYERS\n\n" + _layer_table(report),
        "LOAD\n\n" + _load_text(report),
        f"RAM of the whole system, bytes ({report['ram']['method']})\n\n"
        + memory_map.table(_regions(report["ram"]))
        + _budget(report["ram"]["total_bytes"], target["ram_bytes"]),
        f"FLASH, bytes ({report['flash']['method']})\n\n"
        + memory_map.table(_regions(report["flash"]))
        + _budget(report["flash"]["total_bytes"], target["flash_bytes"]),
        "INSTRUCTIONS, in the emulator: not cycles\n\n" + _measured_text(report),
        "BESIDE ST'S RUNTIME\n\n" + _comparison(report),
    ]
    return "\n".join(parts)


def as_picture(report: Mapping[str, Any]) -> str:
    """Return the text of memory.svg."""
    model, target = report["model"], report["target"]
    title = f"{model['name']} {model['version']}, {report['mode']} mode, for {target['name']}"
    bars = {"RAM": _regions(report["ram"]), "Flash": _regions(report["flash"])}
    return memory_map.picture(title, bars)


def _latency_text(report: Mapping[str, Any]) -> str:
    told = report["latency"]
    late = f", {told['delay_ms']} ms after the patch's last frame" if told["delay_ms"] else ""
    every, length = told["decision_every_ms"], told["patch_ms"]
    decision = f"a decision every {every} ms on {length} ms of sound{late}"
    return f"LATENCY\n\n{decision}; the computation comes on top\n"


def _layer_table(report: Mapping[str, Any]) -> str:
    rows: list[tuple[str, ...]] = [
        (
            layer["name"],
            "x".join(map(str, layer["input"])),
            "x".join(map(str, layer["output"])),
            f"{layer['macs']:,}",
            f"{layer['macs_per_decision']:,}",
            f"{layer['weights_bytes'] + layer['biases_bytes']:,}",
        )
        for layer in report["layers"]
    ]
    sums = [sum(layer[key] for layer in report["layers"]) for key in ("macs", "macs_per_decision")]
    rows.append(("total", "", "", *(f"{n:,}" for n in sums), f"{report['flash']['weights_bytes']:,}"))
    return columns(("layer", "input", "output", "MACs", "MACs/decision", "weights, B"), rows)


def _load_text(report: Mapping[str, Any]) -> str:
    macs = f"{report['macs_per_s'] / 1e6:.1f} M multiply-accumulates for each second of sound\n"
    told = report["load"]
    if told is None:
        return macs
    clock = report["target"]["clock_hz"] / 1e6
    return (
        f"{macs}{told['share']:.0%} of {clock:g} MHz, at {told['cycles_per_mac']} cycles for each; at most "
        f"{told['limit']:.0%} is allowed\n{told['method']}\n"
    )


def _measured_text(report: Mapping[str, Any]) -> str:
    found = report["measured"]
    if isinstance(found, str):
        return found + "\n"
    rows = [
        (name, f"{count:,}")
        for name, count in zip(report["stages"], found["stage_instructions"], strict=True)
    ]
    rows += [
        ("network, a decision", f"{found['network_instructions']:,}"),
        ("network, a second of sound", f"{found['network_instructions_per_audio_s']:,}"),
        ("DC blocker, a frame", f"{found['dc_instructions_per_frame']:,}"),
        ("front end, a frame", f"{found['front_end_instructions_per_frame']:,}"),
        ("level, a frame", f"{found['level_instructions_per_frame']:,}"),
        ("aed_step at most", f"{found['step_instructions_max']:,}"),
        ("aed_push_pcm of 10 ms at most", f"{found['push_instructions_max']:,}"),
        ("bytes of stack", f"{found['stack_bytes']:,}"),
        ("known answers", found["difference"] or "equal"),
    ]
    return columns(("", ""), rows)


def _comparison(report: Mapping[str, Any]) -> str:
    st, flash = report["st"], _regions(report["flash"])
    code = sum(region.bytes for region in flash if region.name.endswith("code"))
    ours_and_st = [
        ("RAM of the network", report["ram"]["network_bytes"], st["activations"] + st["runtime's RAM"]),
        ("weights and biases", report["flash"]["weights_bytes"], st["weights and biases"]),
        ("code (here with features and events)", code, st["code"]),
    ]
    rows = [(name, f"{ours:,}", f"{theirs:,}") for name, ours, theirs in ours_and_st]
    return columns(("bytes", "here", "ST"), rows) + f"\n{st['source']}\n"


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], words: Collection[int] = (0,)) -> str:
    """Return a table as text: the columns of words to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [
        "  ".join(
            f"{cell:<{width}}" if i in words else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in ([head] if any(head) else []) + list(rows)
    ]
    return "\n".join(lines) + "\n"


def _budget(used: int, budget: int | None) -> str:
    return f"{used / budget:.1%} of {budget:,}\n" if budget else ""


def _regions(part: Mapping[str, Any]) -> list[Region]:
    return [Region(**region) for region in part["regions"]]
