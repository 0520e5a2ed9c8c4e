"""Environment overrides: AED__MQTT__HOST and its like."""

from __future__ import annotations

from pathlib import Path

import pytest

from aed_daemon.config_file import load_config
from tests.test_config import SOURCE, faults, load


def test_environment_wins(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        f"{SOURCE}[mqtt]\nhost = 'a'\nport = 1",
        AED__MQTT__HOST="hub",
        aed__mqtt__port="8883",
        AED__MQTT__USERNAME="1234",
        AED__MQTT__PROTOCOL="5",
        AED__MQTT__CLIENT_ID='"quoted"',
        AED__SOURCE__0__DEVICE="hw:1,0",
        AED__SOURCE__1__TYPE="command",
        AED__SOURCE__1__COMMAND='["arecord", "-q"]',
        AED__SOURCE__1__NAME="true",
        AED__DETECTION__CLASSES__DOG__THRESHOLD_ON="0.7",
        AED_CONFIG="not an override",
        HOME="/",
    )
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.username) == ("hub", 8883, "1234")
    assert (config.mqtt.protocol, config.mqtt.client_id) == ("5", "quoted")
    assert config.source[0].device == "hw:1,0"  # type: ignore[union-attr]
    assert config.source[1].command == ["arecord", "-q"]  # type: ignore[union-attr]
    assert config.source[1].name == "true"
    assert config.detection.classes["dog"].threshold_on == 0.7


def test_environment_alone() -> None:
    assert load_config(None, {"AED__SOURCE": '[{type = "demo", name = "demo"}]'}).source[0].type == "demo"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("AED__MQTT__PORT", "many", 'mqtt.port: expected integer, 1 to 65535, got "many".'),
        ("AED__MQTT__HOTS", "x", "unknown key mqtt.hots. Did you mean 'host'?"),
        ("AED__MQTT", "x", 'mqtt: expected table, got "x".'),
        (
            "AED__SOURCE__2__TYPE",
            "demo",
            "source is an array: expected a position from 0 to 1 after it, got 2.",
        ),
        ("AED__SOURCE__X", "demo", "source is an array: expected a position from 0 to 1 after it, got x."),
        ("AED__SOURCE__1__TYPE", "demo", "source.1.name is missing"),
        ("AED__SOURCE__0__NAME__X", "1", "source.0.name is no table."),
        ("AED__", "1", "names no key."),
        ("AED__MQTT____HOST", "1", "names no key."),
        ("AED__" + "__".join("A" * 20), "1", "names no key."),
        ("AED__NODE", "5\nx = 1", "node must not hold"),
    ],
)
def test_faults_name_the_variable(tmp_path: Path, variable: str, value: str, expected: str) -> None:
    lines = faults(tmp_path, SOURCE, **{variable: value})
    assert len(lines) == 1
    assert lines[0].startswith(f"environment variable {variable}: {expected}")


def test_one_key_set_by_two_variables(tmp_path: Path) -> None:
    [line] = faults(tmp_path, SOURCE, AED__NODE="a", aed__node="b")
    assert "sets the same key as AED__NODE. Keep one." in line
