"""The event: the contract with every subscriber, pinned."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aed_daemon.event_reference import page
from aed_daemon.events import Event, comparable, event_schema, iso_utc, new_ulid
from tests.sinks.parts import draft

SCHEMA_FILE = Path(__file__).parent.parent / "docs" / "event.schema.json"

EXAMPLE: dict[str, Any] = {
    "schema": 1,
    "type": "start",
    "id": "01KAQF2W7RZ3X8V5N4M6P9QABC",
    "epoch": "7a2d5af8",
    "seq": 4711,
    "node": "hall-3f2a",
    "source": "porch",
    "class": "dog",
    "label": "Dog",
    "score": 0.93,
    "score_max": 0.97,
    "score_mean": 0.91,
    "start": "2026-11-23T01:14:21.480Z",
    "start_ts": 1795396461.480,
    "start_sample": 8123392,
    "end": None,
    "end_sample": None,
    "duration_s": None,
    "reason": None,
    "published": "2026-11-23T01:14:22.310Z",
    "latency_ms": 830,
    "level": {"rms_dbfs": -23.1, "peak_dbfs": -9.8, "floor_dbfs": -58.0, "snr_db": 34.9, "clipped": False},
    "top": [["dog", 0.93], ["rooster", 0.03]],
    "window_s": 0.975,
    "hop_s": 0.24,
    "model": {"name": "yamnet256-esc10", "sha256": "0" * 64},
    "engine": "litert",
    "clip": None,
    "clock_synced": True,
    "gap_before": False,
    "replayed": False,
}
"""The payload in the contract, keys in its order."""


def validate(payload: Any) -> None:
    jsonschema.Draft202012Validator(event_schema()).validate(payload)


def test_the_published_schema_is_the_code_s() -> None:
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == event_schema(), (
        "The event changed. If that is meant: raise the schema's version when subscribers can break, "
        "tell it in CHANGELOG.md, and run make docs."
    )


def test_the_page_of_the_events_is_that_of_the_schema() -> None:
    assert SCHEMA_FILE.with_name("events.md").read_text(encoding="utf-8") == page(), "run make docs"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(event_schema())


def test_the_contract_s_example_is_valid_and_comes_out_as_it_went_in() -> None:
    validate(EXAMPLE)
    event = Event.model_validate(EXAMPLE)
    text = event.to_json()
    assert json.loads(text) == EXAMPLE
    assert list(json.loads(text)) == list(EXAMPLE), "the order of the keys"
    assert "\n" not in text


def test_every_key_is_described_and_none_may_be_left_out() -> None:
    schema = event_schema()
    for key, value in schema["properties"].items():
        assert value.get("description") or "$ref" in value or key in ("level", "model"), key
    assert set(schema["required"]) == set(EXAMPLE)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", 2),
        ("type", "begin"),
        ("id", "01KAQF2W7RZ3X8V5N4M6P9QABL"),
        ("epoch", "7A2D5AF8"),
        ("seq", -1),
        ("score", "0.93"),
        ("reason", "because"),
        ("level", None),
        ("unknown", 1),
    ],
)
def test_what_breaks_the_contract_is_refused_by_schema_and_code(key: str, value: object) -> None:
    broken = EXAMPLE | {key: value}
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)
    with pytest.raises(ValidationError):
        Event.model_validate_json(json.dumps(broken), strict=True)


def test_a_loud_sound_has_no_score() -> None:
    payload = EXAMPLE | {"class": "loud_sound", "score": None, "score_max": None, "score_mean": None}
    validate(payload)
    assert Event.model_validate(payload).score is None


@pytest.mark.parametrize("type_", ["start", "update", "end"])
def test_what_the_daemon_makes_is_valid(type_: str) -> None:
    event = draft(type=type_)
    validate(json.loads(event.to_json()))
    assert Event.model_validate_json(event.to_json()) == event


def test_two_runs_agree_on_everything_but_identity_and_clock() -> None:
    first = draft()
    second = draft(
        id=new_ulid(),
        epoch="ffffffff",
        seq=9,
        published=iso_utc(0),
        latency_ms=1,
        start=iso_utc(1),
        start_ts=1.0,
    )
    assert comparable(first) == comparable(second)
    for change in ({"start_sample": 1}, {"score": 0.5}, {"type": "end"}, {"gap_before": True}):
        assert comparable(first) != comparable(draft(**change))


def test_ulids_are_unique_and_sort_by_time() -> None:
    ulids = [new_ulid(1_795_396_461 + step / 1_000) for step in range(2_000)]
    assert ulids == sorted(ulids)
    assert len({new_ulid(1_795_396_461.0) for _ in range(5_000)}) == 5_000
    assert all(re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", ulid) for ulid in ulids)


def test_ulids_hold_their_time() -> None:
    ulid = new_ulid(1_469_918_176.385)
    assert ulid[:10] == "01ARYZ6S41", "the ULID specification's example"


@given(st.floats(0, 4_102_444_800))
def test_iso_times_are_rounded_to_the_nearest_millisecond(timestamp_s: float) -> None:
    text = iso_utc(timestamp_s)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    back = datetime.fromisoformat(text).astimezone(UTC).timestamp()
    assert math.isclose(back, timestamp_s, rel_tol=0, abs_tol=0.000_501)


@given(st.lists(st.floats(0, 4_102_444_800), min_size=2))
def test_iso_times_sort_as_their_times_do(timestamps_s: list[float]) -> None:
    texts = [iso_utc(timestamp_s) for timestamp_s in sorted(timestamps_s)]
    assert all(one <= other for one, other in pairwise(texts))
