"""The configuration of recordings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from aed_daemon.clips.never import NEVER_RECORD, REASON
from aed_daemon.clips.quiet_hours import QuietHours
from aed_daemon.config_types import FilePath, KeyPath, MisfitError, Section
from aed_daemon.manifest import BACKGROUND, Slug


def _hours(text: str) -> str:
    QuietHours.parse(text)
    return text


class ClipsConfig(Section):
    """Recordings of the sounds that were detected. Off by default; docs/clips.md has the rules."""

    enabled: bool = Field(default=False, description="Whether sounds are recorded.")
    folder: FilePath | None = Field(
        default=None, description="Where they are kept; unset: clips in systemd's state directory."
    )
    format: Literal["flac", "wav"] = Field(default="flac", description="Format of the files, 16 bits.")
    pre_s: float = Field(default=3.0, ge=0, le=30, description="Sound before the onset, s.")
    post_s: float = Field(default=3.0, ge=0, le=30, description="Sound after the offset, s.")
    max_s: float = Field(
        default=60.0, ge=1, le=300, description="Longest clip, with what is before and after, s."
    )
    spectrogram: bool = Field(default=True, description="Whether a PNG of the log-mel lies beside each clip.")
    classes: list[Slug] | None = Field(
        default=None, description="Only these are recorded; loud_sound may be one. Unset: all."
    )
    never_classes: list[Slug] = Field(
        default=[],
        description="Where one of these is heard nothing is kept, whatever else sounds; they have to be "
        "detected for that.",
    )
    quiet_hours: Annotated[str, AfterValidator(_hours)] | None = Field(
        default=None, description='Nothing is recorded at these hours, local time: "22:00-06:00".'
    )
    on_request: bool = Field(
        default=False, description="Whether `capture_clip` over MQTT may record, whatever sounds."
    )
    keep_days: float = Field(
        default=30.0, ge=0, le=36_500, description="A clip that is older is deleted, days; 0: none is."
    )
    keep_clips: int = Field(
        default=10_000, ge=1, le=100_000, description="Most clips that are kept; the oldest go first."
    )
    min_free_mb: float = Field(
        default=500.0,
        ge=0,
        le=1e7,
        description="So much of the disk stays free, MB: the oldest clips go, and where that is not enough "
        "nothing is recorded.",
    )

    @model_validator(mode="after")
    def _fits(self) -> ClipsConfig:
        faults: list[tuple[KeyPath, str]] = []
        if self.enabled and NEVER_RECORD:
            faults.append((("enabled",), REASON))
        if self.max_s <= self.pre_s + self.post_s:
            text = f"max_s {self.max_s:g} leaves nothing for the sound between pre_s {self.pre_s:g} and "
            faults.append((("max_s",), f"{text}post_s {self.post_s:g}"))
        both = sorted(set(self.classes or []) & set(self.never_classes))
        if both:
            faults.append((("never_classes",), f"{', '.join(both)}: also in classes"))
        if BACKGROUND in self.never_classes or BACKGROUND in (self.classes or []):
            key = "never_classes" if BACKGROUND in self.never_classes else "classes"
            faults.append(((key,), f"{BACKGROUND} is never published, so it cannot be named here"))
        if faults:
            raise MisfitError(*faults)
        return self
