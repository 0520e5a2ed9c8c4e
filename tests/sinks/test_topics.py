"""Topics and payloads: names as the contract has them, JSON that every parser takes."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon.sinks.outbox import Hole
from aed_daemon.sinks.protocol import Health, SourceLevel
from aed_daemon.sinks.topics import (
    Topics,
    attributes_payload,
    availability_payload,
    health_payload,
    hole_payload,
    info_payload,
    level_payload,
    to_json,
)
from tests.sinks.parts import INFO, draft

HOME_ASSISTANT_STRIPS = {
    "state", "name", "icon", "available", "device_class", "unique_id", "unit_of_measurement",
}  # fmt: skip
HEALTH = Health(0.123456, 2.34, 81.26, 1, 2, 3, 61.23, 4, 5, 6)


def test_topics_are_the_contract_s() -> None:
    topics = Topics("aed", "hall-3f2a")
    assert topics.bridge_state == "aed/hall-3f2a/bridge/state"
    assert topics.bridge_info == "aed/hall-3f2a/bridge/info"
    assert topics.bridge_health == "aed/hall-3f2a/bridge/health"
    assert topics.outbox_dropped == "aed/hall-3f2a/bridge/outbox_dropped"
    assert topics.availability("porch") == "aed/hall-3f2a/porch/availability"
    assert topics.event("porch") == "aed/hall-3f2a/porch/event"
    assert topics.level("porch") == "aed/hall-3f2a/porch/level"
    assert topics.class_state("porch", "dog") == "aed/hall-3f2a/porch/class/dog/state"
    assert topics.class_attributes("porch", "dog") == "aed/hall-3f2a/porch/class/dog/attributes"


def test_availability_has_a_reason_only_where_there_is_one() -> None:
    assert availability_payload(True, None) == '{"state":"online"}'
    assert availability_payload(False, "device_lost") == '{"state":"offline","reason":"device_lost"}'


def test_info_names_the_outbox_s_epoch() -> None:
    assert json.loads(info_payload(INFO, "0123abcd")) == {
        "version": "0.1.0",
        "model": {"name": "yamnet256-esc10", "sha256": "0" * 64},
        "engine": "litert",
        "exact": True,
        "classes": {"dog": "Dog", "rain": "Rain", "loud_sound": "Loud sound"},
        "sources": ["porch", "hall"],
        "config_schema": 1,
        "epoch": "0123abcd",
    }


def test_health_has_every_figure_and_null_for_the_unknown() -> None:
    assert json.loads(health_payload(HEALTH)) == {
        "real_time_factor": 0.1235,
        "cpu_percent": 2.3,
        "pss_mb": 81.3,
        "overruns": 1,
        "shed_hops": 2,
        "outbox": "memory",
        "outbox_problem": None,
        "outbox_depth": 4,
        "outbox_oldest_s": None,
        "dead_letters": 5,
        "reconnects": 6,
        "uptime_s": 61.2,
        "events": 3,
        "problems": {},
    }
    told = json.loads(health_payload(replace(HEALTH, problems={"clips": "the disk is full"})))
    assert told["problems"] == {"clips": "the disk is full"}
    unknown = replace(HEALTH, real_time_factor=None, cpu_percent=math.nan, pss_mb=math.inf)
    figures = json.loads(health_payload(unknown))
    assert [figures["real_time_factor"], figures["cpu_percent"], figures["pss_mb"]] == [None, None, None]


@given(st.floats(), st.floats(), st.floats(), st.booleans())
def test_levels_are_finite_whatever_comes(rms: float, peak: float, floor: float, clipped: bool) -> None:
    figures = json.loads(level_payload(SourceLevel("porch", rms, peak, floor, clipped)))
    assert set(figures) == {"rms_dbfs", "peak_dbfs", "floor_dbfs", "clipped"}
    assert all(figures[key] >= -120 for key in figures if key != "clipped")


def test_a_hole_says_what_is_missing() -> None:
    text = hole_payload(Hole("0123abcd", 3, 9, "outbox_full"))
    assert text == '{"epoch":"0123abcd","first_seq":3,"last_seq":9,"reason":"outbox_full"}'


def test_attributes_have_the_same_keys_always_and_none_that_home_assistant_strips() -> None:
    before, after = json.loads(attributes_payload(None)), json.loads(attributes_payload(draft()))
    assert list(before) == list(after)
    assert set(before.values()) == {None}
    assert not HOME_ASSISTANT_STRIPS & set(after)
    assert after["score"] == 0.93
    assert after["snr_db"] == 34.9


def test_json_refuses_what_is_none() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json({"x": math.nan})
