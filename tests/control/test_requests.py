"""Payloads of commands: what is right, and that nothing at all makes a parser raise anything else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon.config_types import Section
from aed_daemon.control.requests import (
    MAX_BYTES,
    LogLevelRequest,
    Options,
    Pause,
    RequestError,
    answer_topic,
    checked,
    parse_object,
    parse_switch,
    parse_threshold,
    response,
    transaction_of,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["options", "source"]), inner)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("payload", [b"", b" \n", b"{}"])
def test_no_payload_is_a_request_without_fields(payload: bytes) -> None:
    assert parse_object(payload) == ({}, None)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"\xff", "UTF-8"),
        (b"{", "JSON"),
        (b"[]", "an array"),
        (b"null", "null"),
        (b"7", "a number"),
        (b'"x"', "text"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":' + b"9" * 5_000 + b"}", "JSON"),
        (b"[" * 4_000, "deep"),
        (b" " * (MAX_BYTES + 1), "too long"),
        (b'{"transaction":{}}', "transaction"),
        (b'{"transaction":true}', "transaction"),
        (b'{"transaction":"' + b"x" * 300 + b'"}', "transaction"),
    ],
)
def test_what_is_malformed_is_said(payload: bytes, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        parse_object(payload)
    assert transaction_of(payload) is None


@pytest.mark.parametrize(
    ("model", "fields", "said"),
    [
        (Pause, {"duration_s": 0}, "duration_s"),
        (Pause, {"duration_s": "60"}, "duration_s"),
        (Pause, {"paused": 1}, "paused"),
        (Pause, {"pause": True}, "pause"),
        (LogLevelRequest, {"level": "trace"}, "level"),
        (Options, {"options": {"sources": {"porch": {"gain": 1}}}}, "options.sources.porch.gain"),
        (Options, {"options": {"sources": {"porch": {"thresholds": {"dog": "high"}}}}}, "thresholds.dog"),
    ],
)
def test_fields_of_the_wrong_kind_are_named(model: type[Section], fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        checked(model, fields)


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_a_request_error_comes_out(payload: bytes) -> None:
    for parse in (
        lambda: checked(Options, parse_object(payload)[0]),
        lambda: checked(Pause, parse_object(payload)[0]),
        lambda: parse_switch(payload),
        lambda: parse_threshold("dog", payload),
    ):
        with suppress(RequestError):
            parse()


@given(
    st.text(max_size=100)
    | st.integers(-(10**100), 10**100)
    | st.floats(allow_nan=False, allow_infinity=False)
)
def test_a_transaction_comes_back_as_it_was(transaction: str | int | float) -> None:
    payload = json.dumps({"transaction": transaction}).encode()
    found = transaction_of(payload)
    assert found == transaction
    assert json.loads(response(found, {"a": 1}).encode())["transaction"] == transaction


def test_half_a_surrogate_pair_can_be_answered() -> None:
    found = transaction_of(b'{"transaction":"\\ud800"}')
    assert json.loads(response(found).encode())["transaction"] == "\ud800"


@pytest.mark.parametrize("payload", [b"0.5", b" 0.5 ", b"5e-1", b"+.5"])
def test_thresholds(payload: bytes) -> None:
    assert parse_threshold("dog", payload) == 0.5


@pytest.mark.parametrize("payload", [b"0", b"1.01", b"-1", b"nan", b"inf", b"1_0", b"0,5", b"", b"1" * 65])
def test_thresholds_out_of_range_are_refused(payload: bytes) -> None:
    with pytest.raises(RequestError, match="expected"):
        parse_threshold("dog", payload)


def test_the_loud_sound_has_decibels() -> None:
    assert parse_threshold("loud_sound", b"25") == 25.0
    with pytest.raises(RequestError, match="3 to 100 dB"):
        parse_threshold("loud_sound", b"0.5")


@pytest.mark.parametrize("payload", [b"on", b"ON ", b"1", b"true", b"", b"\xff"])
def test_a_switch_knows_two_words(payload: bytes) -> None:
    with pytest.raises(RequestError, match="ON or OFF"):
        parse_switch(payload)


@pytest.mark.parametrize(
    ("topic", "answer"),
    [
        ("bridge/request/pause", "bridge/response/pause"),
        ("bridge/request/" + "x" * 65, "bridge/response/unknown"),
        ("porch/class/dog/threshold/set", "bridge/response/threshold"),
        ("porch/listening/set", "bridge/response/listening"),
        ("", "bridge/response/unknown"),
    ],
)
def test_where_a_command_is_answered(topic: str, answer: str) -> None:
    assert answer_topic(topic) == answer
