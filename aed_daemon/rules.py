"""What the configuration and the model say about each class, as the integers that the tracker counts in."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from aed_daemon.config import ClassConfig, DetectionConfig
from aed_daemon.manifest import BACKGROUND, LOUD_SOUND, LabelSpec, ModelManifest, TensorSpec

_FALLBACK = {"smoothing_s": 0.0, "min_duration_s": 0.0, "cooldown_s": 0.0, "end_after_s": 1.0}


@dataclass(frozen=True)
class ClassRule:
    """How one output of the network becomes events.

    Attributes
    ----------
    slug, label : str
        Its names for machines and people.
    index : int
        Which output it is.
    on_steps, off_steps : int
        Thresholds in steps of the output's quantisation above the score 0.
    smoothing_hops : int
        Scores averaged; 1: none.
    confirm_hops : int
        Hops in a row at `on_steps` that it takes to start.
    min_duration_frames, cooldown_frames, end_after_frames : int
        As in the configuration, in frames.
    """

    slug: str
    label: str
    index: int
    on_steps: int
    off_steps: int
    smoothing_hops: int
    confirm_hops: int
    min_duration_frames: int
    cooldown_frames: int
    end_after_frames: int


@dataclass(frozen=True)
class LoudRule:
    """The loud sound event; levels in 0.01 dB, times in frames."""

    snr_cdb: int
    hysteresis_cdb: int
    min_level_cdb: int
    min_duration_frames: int
    end_after_frames: int
    cooldown_frames: int


def steps_of(probability: float, output: TensorSpec) -> int:
    """Return the least number of steps above score 0 whose score is at least `probability`."""
    return min(ceil(round(probability / output.scale, 6)), 127 - output.zero_point)


def class_rules(detection: DetectionConfig, manifest: ModelManifest) -> list[ClassRule]:
    """Return the rules of the enabled classes, in the order of the outputs; never the background's."""
    frames_per_s = manifest.spec.frames_per_second
    rules = []
    for index, label in enumerate(manifest.labels):
        own = detection.classes.get(label.slug, ClassConfig())
        if label.slug != BACKGROUND and _pick("enabled", own, detection.defaults, label, True):
            rules.append(_rule(index, label, own, detection, manifest.output, frames_per_s))
    return rules


def thresholds(detection: DetectionConfig, manifest: ModelManifest) -> dict[str, float]:
    """Return at which score each enabled class starts, and the loud sound at how many dB over the floor."""
    found = {}
    for rule in class_rules(detection, manifest):
        own = detection.classes.get(rule.slug, ClassConfig())
        label = manifest.labels[rule.index]
        found[rule.slug] = float(str(_pick("threshold_on", own, detection.defaults, label, None)))
    if detection.loud_sound.enabled:
        found[LOUD_SOUND] = detection.loud_sound.snr_db
    return found


def loud_rule(detection: DetectionConfig, manifest: ModelManifest) -> LoudRule | None:
    """Return the rule of the loud sound event, None where it is off."""
    loud = detection.loud_sound
    if not loud.enabled:
        return None
    frames_per_s = manifest.spec.frames_per_second
    return LoudRule(
        snr_cdb=round(loud.snr_db * 100),
        hysteresis_cdb=round(loud.hysteresis_db * 100),
        min_level_cdb=round(loud.min_level_dbfs * 100),
        min_duration_frames=max(1, round(loud.min_duration_s * frames_per_s)),
        end_after_frames=round(loud.end_after_s * frames_per_s),
        cooldown_frames=round(loud.cooldown_s * frames_per_s),
    )


def gate_cdb(detection: DetectionConfig, manifest: ModelManifest) -> tuple[int, int]:
    """Return where the energy gate opens and closes, in 0.01 dBFS; the lowest levels where it is off."""
    gate = detection.gate
    if not gate.enabled:
        return (-(10**9), -(10**9))
    opens = manifest.gate.open_dbfs if gate.open_dbfs is None else gate.open_dbfs
    closes = manifest.gate.close_dbfs if gate.close_dbfs is None else gate.close_dbfs
    return round(opens * 100), round(min(opens, closes) * 100)


def _pick(key: str, own: ClassConfig, defaults: ClassConfig, label: LabelSpec, fallback: object) -> object:
    for place in (own, defaults, label):
        value = getattr(place, key, None)
        if value is not None:
            return value
    return fallback


def _rule(
    index: int,
    label: LabelSpec,
    own: ClassConfig,
    detection: DetectionConfig,
    output: TensorSpec,
    frames_per_s: float,
) -> ClassRule:
    def number(key: str) -> float:
        return float(str(_pick(key, own, detection.defaults, label, _FALLBACK.get(key))))

    def hops(seconds: float) -> int:
        return max(1, ceil(round(seconds * frames_per_s / detection.hop_frames, 6)))

    on = number("threshold_on")
    confirm_s = (
        number("confirm_s") if _pick("mode", own, detection.defaults, label, "instant") == "confirm" else 0.0
    )
    return ClassRule(
        slug=label.slug,
        label=label.label,
        index=index,
        on_steps=steps_of(on, output),
        off_steps=steps_of(min(number("threshold_off"), on), output),
        smoothing_hops=hops(number("smoothing_s")),
        # n hops in a row span n - 1 hop times.
        confirm_hops=hops(confirm_s) + 1 if confirm_s > 0 else 1,
        min_duration_frames=round(number("min_duration_s") * frames_per_s),
        cooldown_frames=round(number("cooldown_s") * frames_per_s),
        end_after_frames=round(number("end_after_s") * frames_per_s),
    )
