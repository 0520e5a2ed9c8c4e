"""Messages: each row of the spectrogram once, in bytes that can be read back."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import numpy as np

from aed_daemon.observer import Observation
from aed_daemon.web.messages import LOG_MEL_RANGE, HopMessages
from tests.web.parts import CLASSIFIER, HOP, SPEC, heard


def parsed(message: bytes) -> tuple[str, dict[str, Any]]:
    event, data, *rest = message.decode().split("\n")
    assert rest == ["", ""]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def rows(data: dict[str, Any]) -> Any:
    steps = np.frombuffer(b64decode(data["rows"]), np.uint8).reshape(-1, SPEC.n_mels)
    low, high = LOG_MEL_RANGE
    return steps / 255 * (high - low) + low


def test_rows_are_sent_once_and_can_be_read_back() -> None:
    messages = HopMessages(SPEC)
    first = parsed(messages.make(heard(0)))[1]
    second = parsed(messages.make(heard(1)))[1]
    third = parsed(messages.make(heard(4)))[1]
    assert [len(rows(data)) for data in (first, second, third)] == [96, 24, 72]
    joined = np.concatenate([rows(data) for data in (first, second, third)])
    expected = np.arange(len(joined)) % 100 / 20 - 8
    np.testing.assert_allclose(joined, np.repeat(expected[:, None], SPEC.n_mels, 1), atol=0.026)
    assert (first["first"], second["first"] - first["first"]) == (0, HOP)
    messages.restart()
    assert len(rows(parsed(messages.make(heard(5)))[1])) == 96


def test_after_a_gap_or_a_restart_nothing_is_taken_for_sent() -> None:
    messages = HopMessages(SPEC)
    messages.make(heard(50))
    assert len(rows(parsed(messages.make(heard(100)))[1])) == 96
    assert len(rows(parsed(messages.make(heard(0)))[1])) == 96


def test_places_count_from_the_source_s_start() -> None:
    observation = heard(2)
    later = Observation("porch", observation.end_sample + 500_000, observation.decision)
    assert parsed(HopMessages(SPEC).make(later))[1]["first"] == 500_000 + 2 * HOP


def test_scores_and_levels() -> None:
    kind, data = parsed(HopMessages(SPEC).make(heard(0, {"dog": 0.75}, level_dbfs=-31.5)))
    scores = np.frombuffer(b64decode(data["scores"]), np.int8)
    output = CLASSIFIER.manifest.output
    assert kind == "hop"
    assert (scores[0] - output.zero_point) * output.scale == 0.75
    assert (data["rms"], data["peak"], data["floor"]) == (-3150, -2650, -6000)


def test_what_is_out_of_range_is_bounded() -> None:
    observation = heard(0)
    wild = observation.decision.patch.rows.copy()
    wild[0], wild[1] = -50, 50
    decision = observation.decision._replace(patch=observation.decision.patch._replace(rows=wild))
    found = rows(parsed(HopMessages(SPEC).make(observation._replace(decision=decision)))[1])
    assert (found[0] == LOG_MEL_RANGE[0]).all()
    assert (found[1] == LOG_MEL_RANGE[1]).all()
