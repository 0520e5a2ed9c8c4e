"""The tracker's rules as C: sizes and constants in `aed_rules.h`, tables in `aed_rules.c`."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from aed_daemon.config import DetectionConfig
from aed_daemon.errors import ConfigError, ModelError
from aed_daemon.loud import LABEL as LOUD_LABEL
from aed_daemon.manifest import LOUD_SOUND, ModelManifest
from aed_daemon.rules import ClassRule, LoudRule, class_rules, gate_cdb, loud_rule
from aed_daemon.spec import FeatureSpec
from model_tools.export.cwriter import header
from model_tools.export.front_end_c import spec_guard

SOURCES = (
    "aed_tracker.c",
    "aed_class.c",
    "aed_loud.c",
    "aed_history.c",
    "aed_noise_floor.c",
    "aed_level.c",
    "aed_event.c",
)
"""In `csrc/`, to be compiled with the files of `rules_files`."""

_FULL_SCALE = 1 << (15 + 12)
"""As in `aed_level.c`."""

_TOP_CDB, _LEAST_CDB = 700, -12_000
"""Samples behind the DC blocker may be twice full scale, 6.02 dB; silence."""

_COARSE_CDB = 100
_PLAIN = frozenset((string.ascii_letters + string.digits + " _-.,:;()/").encode())


@dataclass(frozen=True)
class TrackerRules:
    """All that the C sources of the tracker must know.

    Attributes
    ----------
    spec : FeatureSpec
        What the levels and the patch are.
    slugs, labels : tuple of str
        Names of all outputs of the network, for machines and people.
    zero_point : int
        Output value of score 0.
    classes : tuple of ClassRule
        Of the outputs that are followed, at least one.
    loud : LoudRule or None
        Of the loud sound, None where it is off.
    gate_cdb : (int, int)
        Where the energy gate opens and closes, 0.01 dBFS.
    hop_frames, update_frames : int
        Frames between decisions, and least frames between two updates of a sound.
    origin : str
        What it was made from, for the files' first line.
    """

    spec: FeatureSpec
    slugs: tuple[str, ...]
    labels: tuple[str, ...]
    zero_point: int
    classes: tuple[ClassRule, ...]
    loud: LoudRule | None
    gate_cdb: tuple[int, int]
    hop_frames: int
    update_frames: int
    origin: str

    @property
    def history_frames(self) -> int:
        """Levels that are kept, as the daemon does: an onset may lie a patch before the patch."""
        return 3 * self.spec.patch_frames

    @property
    def window_frames(self) -> int:
        """Level frames that a patch is computed from."""
        last = (self.spec.patch_frames - 1) * self.spec.hop_length
        return (last + self.spec.window_offset + self.spec.win_length) // self.spec.hop_length

    @property
    def queue_events(self) -> int:
        """The most events from one empty queue to the next: of a hop's levels, its scores, or the finish."""
        events = len(self.classes)
        if self.loud:
            pause = max(1, self.loud.end_after_frames, self.loud.cooldown_frames)
            cycle = pause + self.loud.min_duration_frames
            frames = max(self.hop_frames, self.window_frames)
            # Starts, and so ends, lie a cycle apart; one more end at the finish.
            events += 2 * ((frames - 1) // cycle + 1) + 1
        return events


def tracker_rules(detection: DetectionConfig, manifest: ModelManifest) -> TrackerRules:
    """Return what a configuration and a model say.

    Raises
    ------
    ConfigError
        If all classes are disabled.
    ModelError
        If the level of its frames cannot be computed.
    """
    spec = manifest.spec
    classes = class_rules(detection, manifest)
    if not classes:
        raise ConfigError(
            "every class is disabled", where="detection", hint="Enable at least one class to export."
        )
    if level_steps(spec.hop_length)[0][0] >= 2**64:
        raise ModelError(
            "the hop is too long for levels in C", expected="at most 204 samples", got=f"{spec.hop_length}"
        )
    return TrackerRules(
        spec=spec,
        slugs=manifest.slugs,
        labels=tuple(label.label for label in manifest.labels),
        zero_point=manifest.output.zero_point,
        classes=tuple(classes),
        loud=loud_rule(detection, manifest),
        gate_cdb=gate_cdb(detection, manifest),
        hop_frames=detection.hop_frames,
        update_frames=round(detection.update_s * spec.frames_per_second),
        origin=f"{manifest.name} {manifest.version}, sha256 {manifest.sha256}",
    )


def rules_files(rules: TrackerRules) -> Mapping[str, str]:
    """Return the texts of `aed_rules.h` and `aed_rules.c`, by name."""
    coarse, fine = level_steps(rules.spec.hop_length)
    loud = rules.loud or LoudRule(0, 0, 0, 0, 0, 0)
    sizes = {
        "LEVEL_SAMPLES": rules.spec.hop_length,
        "LEVEL_TOP_CDB": _TOP_CDB,
        "LEVEL_COARSE_STEPS": len(coarse),
        "LEVEL_FINE_STEPS": len(fine),
        "HISTORY_FRAMES": rules.history_frames,
        "WINDOW_FRAMES": rules.window_frames,
        "HOP_FRAMES": rules.hop_frames,
        "UPDATE_FRAMES": rules.update_frames,
        "OUTPUTS": len(rules.slugs),
        "ZERO_POINT": rules.zero_point,
        "FOLLOWED": len(rules.classes),
        "RECENT_SCORES": sum(rule.smoothing_hops for rule in rules.classes),
        "QUEUE_EVENTS": rules.queue_events,
        "GATE_OPEN_CDB": rules.gate_cdb[0],
        "GATE_CLOSE_CDB": rules.gate_cdb[1],
        "LOUD_SOUND": len(rules.slugs),
        "LOUD_ENABLED": int(rules.loud is not None),
        "LOUD_SNR_CDB": loud.snr_cdb,
        "LOUD_HYSTERESIS_CDB": loud.hysteresis_cdb,
        "LOUD_MIN_LEVEL_CDB": loud.min_level_cdb,
        "LOUD_MIN_DURATION_FRAMES": loud.min_duration_frames,
        "LOUD_END_AFTER_FRAMES": loud.end_after_frames,
        "LOUD_COOLDOWN_FRAMES": loud.cooldown_frames,
    }
    defines = "".join(f"#define AED_{name} {_constant(value)}\n" for name, value in sizes.items())
    tables = (
        "extern const uint64_t aed_level_coarse[AED_LEVEL_COARSE_STEPS];\n"
        "extern const uint64_t aed_level_fine[AED_LEVEL_FINE_STEPS];\n"
    )
    first = f"/* {_comment(f'Rules of the tracker, from {rules.origin}')} */\n"
    head = header("AED_RULES_H", ["#include <stdint.h>\n", spec_guard(rules.spec), defines, tables])
    return {"aed_rules.h": first + head, "aed_rules.c": first + _tables(rules, coarse, fine)}


def level_steps(hop_length: int) -> tuple[list[int], list[int]]:
    """Return the levels' edges in two factors.

    A sum of squares of samples has the level 700 - (100 a + b) in 0.01 dBFS or more where it is above
    coarse[a] * fine[b] / 2^64.
    """
    full = hop_length * _FULL_SCALE**2
    with localcontext() as context:
        context.prec = 50
        ten, steps = Decimal(10), 1000
        tops = range(_TOP_CDB, _LEAST_CDB - 2 * _COARSE_CDB, -_COARSE_CDB)
        coarse = [int(full * ten ** (Decimal(top) / steps)) for top in tops]
        fine = [int(2**64 * ten ** (Decimal(-2 * j - 1) / (2 * steps))) for j in range(_COARSE_CDB + 1)]
    return coarse, fine


def _tables(rules: TrackerRules, coarse: list[int], fine: list[int]) -> str:
    rows, recent_at = [], 0
    for rule in rules.classes:
        numbers = (
            rule.min_duration_frames, rule.cooldown_frames, rule.end_after_frames, rule.on_steps,
            rule.off_steps, rule.smoothing_hops, rule.confirm_hops, recent_at, rule.index,
        )  # fmt: skip
        rows.append(f"    {{{', '.join(map(str, numbers))}}},\n")
        recent_at += rule.smoothing_hops
    return "\n".join(
        [
            '#include "aed_tracker.h"\n',
            f"const struct aed_class_rule aed_class_rules[AED_FOLLOWED] = {{\n{''.join(rows)}}};\n",
            _names("aed_slugs", [*rules.slugs, LOUD_SOUND]),
            _names("aed_labels", [*rules.labels, LOUD_LABEL]),
            _wide("aed_level_coarse", "AED_LEVEL_COARSE_STEPS", coarse),
            _wide("aed_level_fine", "AED_LEVEL_FINE_STEPS", fine),
        ]
    )


def _names(name: str, texts: Iterable[str]) -> str:
    lines = "".join(f"    {_string(text)},\n" for text in texts)
    return f"const char *const {name}[AED_OUTPUTS + 1] = {{\n{lines}}};\n"


def _wide(name: str, size: str, values: list[int]) -> str:
    texts = [f"0x{value:016x}u" for value in values]
    lines = "".join(f"    {', '.join(texts[at : at + 5])},\n" for at in range(0, len(texts), 5))
    return f"const uint64_t {name}[{size}] = {{\n{lines}}};\n"


def _string(text: str) -> str:
    """Return a C string of UTF-8; octal escapes, which end by themselves, for all but plain characters."""
    plain = (chr(b) if b in _PLAIN else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(plain)}"'


def _comment(text: str) -> str:
    return text.replace("*/", "* /")


def _constant(value: int) -> str:
    return f"({value})" if value < 0 else f"{value}"
