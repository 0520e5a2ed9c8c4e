"""Event: what is published, and its JSON Schema; the contract with every subscriber."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

EventType = Literal["start", "update", "end"]
Reason = Literal["gap", "device_lost", "shutdown", "interrupted", "listening_off", "end_of_input"]
"""Why an end is not the sound's own. `end_of_input`: the file or pipe ended."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_ulid(timestamp_s: float | None = None) -> str:
    """Return a ULID: 48 bits of milliseconds and 80 random bits, 26 characters that sort by time.

    Source: the ULID specification (github.com/ulid/spec).
    """
    milliseconds = int((time.time() if timestamp_s is None else timestamp_s) * 1_000) & (2**48 - 1)
    number = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def iso_utc(timestamp_s: float) -> str:
    """Return a UTC time as ISO 8601 with milliseconds, such as 2026-11-23T01:14:21.480Z."""
    moment = datetime.fromtimestamp(round(timestamp_s, 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )


class Level(_Part):
    """How loud the sound was, in dBFS after the source's gain."""

    rms_dbfs: float = Field(description="RMS of the loudest 10 ms since the event began, dBFS.")
    peak_dbfs: float = Field(description="Largest sample magnitude since the event began, dBFS.")
    floor_dbfs: float = Field(description="The noise floor when it began, dBFS; -120 for digital silence.")
    snr_db: float = Field(description="rms_dbfs - floor_dbfs, dB.")
    clipped: bool = Field(description="Whether a sample reached the device's full scale, before any gain.")


class ModelRef(_Part):
    """Which model said so."""

    name: str = Field(description="Name in the manifest.")
    sha256: str = Field(description="SHA-256 of the model file.")


class Event(_Part):
    """A sound that starts, goes on or ends. One `id` through all three."""

    schema_version: Literal[1] = Field(1, alias="schema", description="Version of this format.")
    type: EventType = Field(
        description="start, update (at most every 5 s, and only if score_max rose) or end."
    )
    id: str = Field(pattern="^[0-9A-HJKMNP-TV-Z]{26}$", description="ULID of the sound.")
    epoch: str = Field(pattern="^[0-9a-f]{8}$", description="Changes whenever seq cannot be continued.")
    seq: int = Field(ge=0, description="Counts the events of an epoch, without holes.")
    node: str = Field(description="Name of the daemon.")
    source: str = Field(description="Name of the source.")
    class_: str = Field(alias="class", description="Slug of the class, or loud_sound.")
    label: str = Field(description="The class for people.")
    score: float | None = Field(description="Score at this moment, 0 to 1; null for loud_sound.")
    score_max: float | None = Field(description="Largest score so far; null for loud_sound.")
    score_mean: float | None = Field(description="Mean score so far; null for loud_sound.")
    start: str = Field(description="Onset, UTC ISO 8601 with milliseconds.")
    start_ts: float = Field(description="Onset, seconds since 1970.")
    start_sample: int = Field(description="Onset as a sample index at the model's rate.")
    end: str | None = Field(description="Offset, UTC ISO 8601; null until it ends.")
    end_sample: int | None = Field(description="Offset as a sample index; null until it ends.")
    duration_s: float | None = Field(description="Offset less onset, seconds; null until it ends.")
    reason: Reason | None = Field(description="Why an end is not the sound's own; null where it is.")
    published: str = Field(description="When it was handed to the sinks, UTC ISO 8601.")
    latency_ms: int = Field(description="published - start, milliseconds.")
    level: Level
    top: list[tuple[str, float]] = Field(description="The best classes of this hop with their scores.")
    window_s: float = Field(description="Length of the patch, seconds.")
    hop_s: float = Field(description="Time between decisions, seconds.")
    model: ModelRef
    engine: str = Field(description="What ran the network: native, litert or tflite.")
    clip: str | None = Field(description="Its recording, as a path below the clips folder; null: none.")
    clock_synced: bool = Field(description="Whether the system clock was synchronised.")
    gap_before: bool = Field(description="Whether sound was lost shortly before it.")
    replayed: bool = Field(description="Sent more than 5 s after it was committed, or by a later process.")

    def to_json(self) -> str:
        """Return the payload: one line of JSON."""
        return self.model_dump_json(by_alias=True)


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema of the payload."""
    schema = Event.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


_PER_RUN = frozenset({"id", "epoch", "seq", "published", "latency_ms", "start", "start_ts", "end", "clip"})


def comparable(event: Event) -> dict[str, Any]:
    """Return what two runs over the same sound, on one machine with one engine, must agree on."""
    return event.model_dump(by_alias=True, exclude=set(_PER_RUN))
