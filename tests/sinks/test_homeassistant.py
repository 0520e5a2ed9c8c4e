"""What Home Assistant's documentation asks of discovery; tests/container asks a real one."""

from __future__ import annotations

import json
import re
from typing import Any

import jinja2
import pytest

from aed_daemon.config import HomeAssistantConfig
from aed_daemon.sinks.homeassistant import (
    EVENT_TEMPLATE,
    birth_topic,
    device,
    discovery_topic,
    object_id,
    platforms,
)
from aed_daemon.sinks.protocol import BridgeInfo
from aed_daemon.sinks.topics import Topics, attributes_payload, health_payload
from tests.sinks.parts import BASE, INFO, NODE, draft

CONFIG = HomeAssistantConfig()
TOPICS = Topics("aed", NODE)

REQUIRED = {
    "binary_sensor": {"stat_t"},
    "event": {"stat_t", "evt_typ"},
    "number": {"cmd_t"},
    "sensor": {"stat_t"},
    "switch": {"cmd_t"},
}
OPTIONAL = {
    "binary_sensor": {"dev_cla", "json_attr_t"},
    "event": {"val_tpl"},
    "number": {"stat_t", "min", "max", "step", "mode", "unit_of_meas"},
    "sensor": {"val_tpl", "unit_of_meas", "stat_cla", "dev_cla"},
    "switch": {"stat_t"},
}
COMMON = {"p", "uniq_id", "name", "ic", "ent_cat", "en", "avty"}
"""Abbreviations as in home-assistant.io/integrations/mqtt; keys of a platform that are used here."""

STRIPPED = {"state", "name", "icon", "available", "device_class", "unique_id", "unit_of_measurement"}
"""Home Assistant drops attributes of these names."""


def described(source: str = "porch", info: BridgeInfo = INFO, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"controllable": True, "gone": {}} | changes
    payload: dict[str, Any] = json.loads(device(CONFIG, TOPICS, source, info, **values))
    return payload


def test_the_root_has_nothing_that_home_assistant_refuses() -> None:
    payload = described()
    assert set(payload) == {"dev", "o", "cmps", "avty", "avty_mode", "qos"}
    assert set(payload["dev"]) <= {"ids", "name", "mf", "mdl", "sw", "sa"}
    assert payload["o"]["name"] == "aed-daemon"
    assert payload["avty_mode"] == "all"
    assert [place["t"] for place in payload["avty"]] == [f"{BASE}/bridge/state", f"{BASE}/porch/availability"]


@pytest.mark.parametrize("name", described()["cmps"])
def test_each_component_has_what_its_platform_wants_and_nothing_else(name: str) -> None:
    component = described()["cmps"][name]
    platform = component["p"]
    assert REQUIRED[platform] <= set(component)
    assert set(component) <= COMMON | REQUIRED[platform] | OPTIONAL[platform]
    assert component["uniq_id"] == f"{object_id(TOPICS, 'porch')}_{name}"
    assert re.fullmatch(r"[A-Za-z0-9_-]+", component["uniq_id"])
    assert not component["name"].lower().startswith(described()["dev"]["name"].lower()), (
        "Home Assistant puts the device's name in front"
    )
    assert "ic" not in component or component["ic"].startswith("mdi:")
    assert component.get("ent_cat", "config") in ("config", "diagnostic")


def test_what_there_is() -> None:
    cmps = described()["cmps"]
    counted = {platform: [name for name in cmps if cmps[name]["p"] == platform] for platform in REQUIRED}
    assert counted["binary_sensor"] == [f"class_{slug}" for slug in INFO.classes]
    assert counted["number"] == [f"threshold_{slug}" for slug in INFO.classes]
    assert counted["event"] == ["event"]
    assert counted["switch"] == ["listening"]
    assert counted["sensor"] == ["level", "real_time_factor", "outbox_depth", "dead_letters", "pss_mb"]
    for name in counted["binary_sensor"]:
        assert cmps[name]["dev_cla"] == "sound"
        assert not {"off_delay", "exp_aft"} & set(cmps[name]), "an end says when it is over"
    assert cmps["level"]["unit_of_meas"] == "dBFS"
    assert "dev_cla" not in cmps["level"], "sound_pressure would be SPL"
    assert set(cmps["event"]["evt_typ"]) == {*INFO.classes, "test_event"}
    assert cmps["threshold_loud_sound"]["unit_of_meas"] == "dB"


def test_the_switch_stays_usable_while_the_source_is_off() -> None:
    for name in ("listening", "threshold_dog", "outbox_depth"):
        assert [place["t"] for place in described()["cmps"][name]["avty"]] == [f"{BASE}/bridge/state"]
    assert "avty" not in described()["cmps"]["class_dog"]


def test_without_remote_control_nothing_can_be_set() -> None:
    cmps = described(controllable=False)["cmps"]
    assert not [name for name in cmps if cmps[name]["p"] in ("switch", "number")]


def test_ids_do_not_depend_on_labels_and_differ_where_names_do() -> None:
    renamed = BridgeInfo(
        "9", "other", "1" * 64, "tflite", False, classes={"dog": "Hund", "rain": "Regen"}, sources=("porch",)
    )
    before, after = described()["cmps"], described(info=renamed)["cmps"]
    assert after["class_dog"]["uniq_id"] == before["class_dog"]["uniq_id"]
    assert after["class_dog"]["name"] == "Hund"
    alike = [("a b", "c"), ("a_b", "c"), ("a", "b_c"), ("a", "b c"), ("ä", "c"), ("ö", "c")]
    ids = [object_id(Topics("aed", node), source) for node, source in alike]
    assert len(set(ids)) == len(ids)
    for identity in ids:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", identity)
    long = object_id(Topics("x" * 64, "y" * 64), "z" * 64)
    assert len(long) < 100


def test_the_topics() -> None:
    own = HomeAssistantConfig(prefix="ha")
    assert birth_topic(CONFIG) == "homeassistant/status"
    assert birth_topic(own) == "ha/status"
    topic = discovery_topic(own, TOPICS, "porch")
    assert topic == f"ha/device/{object_id(TOPICS, 'porch')}/config"


def test_a_component_that_went_is_described_by_its_platform_alone() -> None:
    gone = {"class_cat": "binary_sensor", "threshold_cat": "number"}
    cmps = described(gone=gone)["cmps"]
    assert cmps["class_cat"] == {"p": "binary_sensor"}
    assert cmps["threshold_cat"] == {"p": "number"}
    again = platforms(TOPICS, "porch", INFO, controllable=True)
    assert {name: cmps[name]["p"] for name in again} == again


def render(template: str, payload: str) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - no HTML
    return environment.from_string(template).render(value=payload, value_json=json.loads(payload))


def test_only_a_new_sound_reaches_the_event_entity() -> None:
    event = json.loads(render(EVENT_TEMPLATE, draft(label="a \"quoted\" <label> & 'more'").to_json()))
    assert event["event_type"] == "dog"
    assert event["score"] == 0.93
    assert event["label"] == "a \"quoted\" <label> & 'more'"
    assert event["snr_db"] == 34.9
    assert not STRIPPED & set(event)
    for changes in ({"type": "update"}, {"type": "end"}, {"replayed": True}):
        assert json.loads(render(EVENT_TEMPLATE, draft(**changes).to_json())) == {}


def test_a_test_event_is_told_as_one() -> None:
    test = draft(class_="test_event", label="Test event", score=None)
    event = json.loads(render(EVENT_TEMPLATE, test.to_json()))
    assert event["event_type"] == "test_event"
    assert event["event_type"] in described()["cmps"]["event"]["evt_typ"]
    assert event["score"] is None


def test_the_other_templates_find_their_figures() -> None:
    from aed_daemon.sinks.protocol import Health

    health = health_payload(Health(None, 2.0, 80.04, 0, 0, 1, 5.0, outbox_depth=7))
    cmps = described()["cmps"]
    told = {
        name: render(cmps[name]["val_tpl"], health)
        for name in ("real_time_factor", "outbox_depth", "dead_letters", "pss_mb")
    }
    # Home Assistant takes "None" for unknown.
    assert told == {"real_time_factor": "None", "outbox_depth": "7", "dead_letters": "0", "pss_mb": "80.0"}
    for place in described()["avty"]:
        assert render(place["val_tpl"], '{"state":"offline","reason":"device_lost"}') == "offline"


def test_no_attribute_has_a_name_that_home_assistant_drops() -> None:
    for event in (None, draft()):
        assert not STRIPPED & set(json.loads(attributes_payload(event)))


def test_an_area_is_suggested_where_there_is_one() -> None:
    own = HomeAssistantConfig(suggested_area="Hall")
    payload = json.loads(device(own, TOPICS, "porch", INFO, controllable=True, gone={}))
    assert payload["dev"]["sa"] == "Hall"
    assert "sa" not in described()["dev"]
