"""What a command may say: payloads in, checked requests out. Whatever comes, only RequestError is raised."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from aed_daemon.config_types import Section
from aed_daemon.manifest import LOUD_SOUND, Slug, describe

MAX_BYTES = 8_192
"""No command is longer."""

MAX_TRANSACTION = 256
"""Most characters of a transaction."""

LONGEST_PAUSE_S = 604_800.0

LONGEST_CAPTURE_S = 300.0

SNR_DB_RANGE = (3.0, 100.0)
"""Threshold of the loud sound, dB over the noise floor, as in the configuration."""

_LONGEST_NAME = 64

LogLevel = Literal["debug", "info", "warning", "error"]


class RequestError(Exception):
    """A command that cannot be carried out; its text is the answer."""


class Nothing(Section):
    """A command without parameters."""


class Pause(Section):
    """pause: stop listening to one source or to all, or go on."""

    paused: bool = True
    duration_s: float | None = Field(default=None, gt=0, le=LONGEST_PAUSE_S)
    source: str | None = None


class LogLevelRequest(Section):
    """log_level: read it, or set it until the next reload or restart."""

    level: LogLevel | None = None


class TestEvent(Section):
    """test_event: publish a marked event from a source; unset: the first one."""

    __test__ = False  # for pytest

    source: str | None = None


class CaptureClip(Section):
    """capture_clip: record what a source hears now and for so long; unset: the first one."""

    source: str | None = None
    duration_s: float = Field(default=10.0, gt=0, le=LONGEST_CAPTURE_S)


class SourceOptions(Section):
    """What can be set of a source; a threshold of null is the configuration's again."""

    listening: bool | None = None
    thresholds: dict[Slug, float | None] = Field(default={})


class Changes(Section):
    """What can be set at run time."""

    log_level: LogLevel | None = None
    sources: dict[str, SourceOptions] = Field(default={})


class Options(Section):
    """options: read what can be set, after setting some of it."""

    options: Changes = Field(default=Changes())


_Request = TypeVar("_Request", bound=Section)


def parse_object(payload: bytes) -> tuple[dict[str, Any], str | int | float | None]:
    """Return the fields of a request and its transaction; nothing at all counts as no fields."""
    if len(payload) > MAX_BYTES:
        raise RequestError(f"too long: {len(payload)} bytes, a command has at most {MAX_BYTES}")
    text = _decode(payload)
    data = _load(text) if text.strip() else {}
    if not isinstance(data, dict):
        raise RequestError(f"expected a JSON object, got {_kind(data)}")
    transaction = data.pop("transaction", None)
    if isinstance(transaction, bool) or not isinstance(transaction, str | int | float | None):
        raise RequestError(f"transaction: expected text or a number, got {_kind(transaction)}")
    if len(str(transaction)) > MAX_TRANSACTION:
        raise RequestError(f"transaction: longer than {MAX_TRANSACTION} characters")
    return data, transaction


def answer_topic(topic: str) -> str:
    """Return where a command is answered; both topics are below prefix/node/."""
    match topic.split("/"):
        case ["bridge", "request", name] if 0 < len(name) <= _LONGEST_NAME:
            return f"bridge/response/{name}"
        case [_, "class", _, "threshold" as name, "set"] | [_, "listening" as name, "set"]:
            return f"bridge/response/{name}"
    return "bridge/response/unknown"


def transaction_of(payload: bytes) -> str | int | float | None:
    """Return the transaction of a request, None where it has none or is malformed."""
    try:
        return parse_object(payload)[1]
    except RequestError:
        return None


def checked(model: type[_Request], fields: dict[str, Any]) -> _Request:
    """Return a request; RequestError for fields that are unknown or of another type."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise RequestError(_short(describe(error))) from None


def parse_switch(payload: bytes) -> bool:
    """Return whether it says ON; RequestError for all but ON and OFF."""
    states = {b"ON": True, b"OFF": False}
    if payload not in states:
        raise RequestError(f"expected ON or OFF, got {_shown(payload)}")
    return states[payload]


def parse_threshold(slug: str, payload: bytes) -> float:
    """Return the threshold that a payload says; see `checked_threshold`."""
    if len(payload) > 64 or not re.fullmatch(rb"\s*[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?\s*", payload):
        raise RequestError(f"expected a number, got {_shown(payload)}")
    try:
        value = float(payload)
    except ValueError:
        raise RequestError(f"expected a number, got {_shown(payload)}") from None
    return checked_threshold(slug, value)


def checked_threshold(slug: str, value: float) -> float:
    """Return a threshold that lies in its range; RequestError for one that does not.

    For a class it is a score, for the loud sound dB over the noise floor.
    """
    if slug == LOUD_SOUND:
        low, high = SNR_DB_RANGE
        if not low <= value <= high:
            raise RequestError(f"{slug}: expected {low:g} to {high:g} dB, got {value:g}")
    elif not 0.0 < value <= 1.0:
        raise RequestError(f"{slug}: expected a score over 0, at most 1, got {value:g}")
    return value


def response(
    transaction: str | int | float | None, data: dict[str, Any] | None = None, error: str | None = None
) -> str:
    """Return the payload of an answer: an error where `error` says one."""
    return json.dumps(
        {
            "status": "ok" if error is None else "error",
            "data": data or {},
            "error": error,
            "transaction": transaction,
        },
        separators=(",", ":"),
        allow_nan=False,  # and only ASCII: half a surrogate pair that came as an escape leaves as one
    )


def _decode(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise RequestError("not UTF-8") from None


def _load(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise RequestError("nested too deep") from None
    except ValueError as error:  # no JSON, or a number of 5,000 digits
        raise RequestError(f"not valid JSON: {_short(str(error))}") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _shown(payload: bytes) -> str:
    return _short(repr(payload)[1:])


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
