"""What pages ask of past sounds and say of them, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from aed_daemon.history.rows import KINDS, MAX_LIMIT, Query
from aed_daemon.web.neighbours import History

_LABELS = ("right", "wrong", None)
_LONGEST = 200


class BadRequestError(ValueError):
    """What was asked for makes no sense; its text says what does."""


def query_of(parameters: Mapping[str, str]) -> Query:
    """Return the query that `since`, `until`, `class`, `source`, `min_score`, `limit`, `cursor` make."""
    known = {"since", "until", "class", "source", "min_score", "kind", "limit", "cursor"}
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise BadRequestError(f"unknown parameter {unknown[0][:40]!r}; there are {', '.join(sorted(known))}")
    limit = _number(parameters, "limit")
    if limit is not None and not 1 <= limit <= MAX_LIMIT:
        raise BadRequestError(f"limit must be 1 to {MAX_LIMIT}")
    kinds = tuple(filter(None, parameters.get("kind", "").split(","))) or KINDS
    if set(kinds) - set(KINDS):
        raise BadRequestError(f"kind must be among {', '.join(KINDS)}")
    return Query(
        since_ts=_number(parameters, "since"),
        until_ts=_number(parameters, "until"),
        classes=tuple(filter(None, parameters.get("class", "").split(","))),
        sources=tuple(filter(None, [parameters.get("source", "")])),
        min_score=_number(parameters, "min_score"),
        kinds=kinds,
        limit=200 if limit is None else int(limit),
        cursor=parameters.get("cursor"),
    )


def mark(history: History, given: Any) -> dict[str, Any]:
    """Keep what somebody says of a sound, or that one was missed; return what was kept.

    Parameters
    ----------
    history : History
        Where it is kept.
    given : Any
        {"id", "label": "right", "wrong" or null}, or {"missed": slug, "at": s since 1970, "source"}.
    """
    if not isinstance(given, dict):
        raise BadRequestError("the body must be an object")
    if set(given) == {"id", "label"} and _is_text(given["id"]):
        if given["label"] not in _LABELS:
            raise BadRequestError("label must be right, wrong or null")
        verdict: Literal["right", "wrong"] | None = given["label"]
        history.label(given["id"], verdict)
        return {"id": given["id"], "label": verdict}
    if set(given) == {"missed", "at", "source"} and _is_text(given["missed"]) and _is_text(given["source"]):
        at = given["at"]
        if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
            raise BadRequestError("at must be a time in seconds since 1970")
        sound_id = history.missed(given["missed"], float(at), source=given["source"])
        return {"id": sound_id, "label": "missed", **given}
    raise BadRequestError('the body must hold "id" and "label", or "missed", "at" and "source"')


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST


def _number(parameters: Mapping[str, str], name: str) -> float | None:
    if name not in parameters:
        return None
    try:
        value = float(parameters[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadRequestError(f"{name} must be a number")
    return value
