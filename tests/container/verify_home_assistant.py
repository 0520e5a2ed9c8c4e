"""`python -m tests.container.verify_home_assistant ROOT`: the daemon, seen by a real Home Assistant.

Needs root, and a root made by scripts/home-assistant-root.sh. Writes benchmarks/reliability.json.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aed_daemon.sinks.homeassistant import object_id
from aed_daemon.sinks.topics import Topics
from benchmarks.reliability import update
from tests.container.home_assistant import Broker, HomeAssistant, Root, StartError, until
from tests.process import Daemon, toml

DEMO = 'name = "scape"\ntype = "demo"'
IDENTITY = object_id(Topics("aed", "test"), "scape")
PATIENCE_S = 60.0


class View:
    """What Home Assistant shows of the source.

    Parameters
    ----------
    home : HomeAssistant
        It.
    """

    def __init__(self, home: HomeAssistant) -> None:
        self.home = home

    def entity(self, component: str) -> str:
        """Return the entity id of a component of the source."""
        return str(self.home.entities()[f"{IDENTITY}_{component}"]["entity_id"])

    def value(self, component: str) -> str | None:
        """Return the state of a component; None where it has none."""
        state = self.home.state(self.entity(component))
        return None if state is None else str(state["state"])

    def attributes(self, component: str) -> dict[str, Any]:
        """Return the attributes of a component."""
        state = self.home.state(self.entity(component))
        return {} if state is None else dict(state["attributes"])

    def wait(self, component: str, *values: str) -> None:
        """Wait until a component has one of these states."""
        until(lambda: self.value(component) in values, f"{component} is {' or '.join(values)}", PATIENCE_S)

    def wait_number(self, component: str) -> None:
        """Wait until a component has a number."""
        until(
            lambda: re.fullmatch(r"-?[0-9.]+", self.value(component) or ""),
            f"a number in {component}",
            PATIENCE_S,
        )


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def check(what: str, good: object) -> None:
    """Say what holds; StartError for what does not."""
    if not good:
        raise StartError(f"does not hold: {what}")
    say(f"  {what}")


def discovery(view: View, daemon: Daemon) -> None:
    """Every component is an entity of one device, with the names that were meant."""
    described = json.loads((daemon.state / "published.json").read_text())["components"]
    (components,) = described.values()
    until(lambda: len(view.home.entities()) == len(components), "all entities", PATIENCE_S)
    check(
        f"one device with {len(components)} entities, one for each component",
        set(view.home.entities()) == {f"{IDENTITY}_{name}" for name in components}
        and [device["name"] for device in view.home.devices()] == ["test scape"],
    )
    check(
        "names without the device's, which stands in front",
        view.attributes("class_dog").get("friendly_name") == "test scape Dog"
        and view.entity("class_dog") == "binary_sensor.test_scape_dog",
    )
    check("a sound sensor for each class", view.attributes("class_dog").get("device_class") == "sound")


def sounds(view: View) -> None:
    """A dog is a state, an attribute and an event."""
    view.wait("class_rain", "off", "on")
    view.wait("class_dog", "on")
    check("a dog that barks is on, with its score", view.attributes("class_dog").get("score", 0) > 0)

    def event_types() -> set[Any]:
        seen.add(view.attributes("event").get("event_type"))
        return seen & {"dog"}

    seen: set[Any] = set()
    until(event_types, "the event entity says dog", PATIENCE_S)
    check("the event entity says dog", True)
    view.wait("class_dog", "off")
    check("and off when it has ended", True)


def control(view: View, home: HomeAssistant, daemon: Daemon) -> None:
    """The switch, a threshold and a test event."""
    view.wait("listening", "on")
    home.call("switch", "turn_off", entity_id=view.entity("listening"))
    view.wait("listening", "off")
    view.wait("class_dog", "unavailable")
    check("switched off: sounds are unavailable, the switch is not", "not_listening" in daemon.log)
    check("thresholds stay there", view.value("threshold_dog") not in (None, "unavailable", "unknown"))
    home.call("switch", "turn_on", entity_id=view.entity("listening"))
    view.wait("class_dog", "on", "off")
    check("switched on: they are back", view.value("listening") == "on")
    home.call("number", "set_value", entity_id=view.entity("threshold_dog"), value=0.97)
    view.wait("threshold_dog", "0.97")
    home.call("number", "set_value", entity_id=view.entity("threshold_loud_sound"), value=30.5)
    view.wait("threshold_loud_sound", "30.5")
    check("thresholds can be set", "command_failed" not in daemon.log)
    home.call("mqtt", "publish", topic="aed/test/bridge/request/test_event", payload="{}")
    until(lambda: view.attributes("event").get("event_type") == "test_event", "the test event", PATIENCE_S)
    check("a test event is told as one", True)


def figures(view: View, home: HomeAssistant) -> None:
    """Diagnostics; the level once it is enabled."""
    for component in ("real_time_factor", "outbox_depth", "dead_letters", "pss_mb"):
        view.wait_number(component)
    check("health is there as numbers", float(view.value("pss_mb") or 0) > 10)
    check("the level is not recorded until somebody wants it", view.value("level") is None)
    home.command("config/entity_registry/update", entity_id=view.entity("level"), disabled_by=None)
    view.wait_number("level")
    check("the level is in dBFS", view.attributes("level").get("unit_of_measurement") == "dBFS")


def comings_and_goings(view: View, home: HomeAssistant, daemon: Daemon, config: str) -> None:
    """A restart of Home Assistant, a class that leaves, and the end of discovery."""
    home.restart()
    view.wait("class_dog", "on", "off")
    check("after its restart the states are there again", view.value("listening") == "on")
    fewer = config + "\n[detection.classes.rain]\nenabled = false\n"
    reload(daemon, fewer)
    until(lambda: f"{IDENTITY}_class_rain" not in home.entities(), "rain is gone", PATIENCE_S)
    check("a class that leaves is removed", f"{IDENTITY}_threshold_rain" not in home.entities())
    reload(daemon, config)
    until(lambda: f"{IDENTITY}_class_rain" in home.entities(), "rain is back", PATIENCE_S)
    view.wait("class_rain", "on", "off")
    check("and may come back", True)
    daemon.send(signal.SIGKILL)
    view.wait("class_dog", "unavailable")
    check("a daemon that dies is unavailable", view.value("listening") == "unavailable")


def reload(daemon: Daemon, config: str) -> None:
    """Have the daemon take over a configuration."""
    done = daemon.log.count('"reloaded"')
    daemon.config.write_text(config)
    daemon.send(signal.SIGHUP)
    until(lambda: daemon.log.count('"reloaded"') > done, "reloaded", PATIENCE_S)


def verify(root: Root) -> str:
    """Run everything; return Home Assistant's version. StartError where something does not hold."""
    with TemporaryDirectory(prefix="aed-ha-") as name, Broker(root) as broker, HomeAssistant(root) as home:
        say(f"Home Assistant {home.version}")
        home.connect(broker)
        folder = Path(name)
        more = "[mqtt]\nhealth_interval_s = 2\n"
        config = toml([DEMO], broker.port).replace("[mqtt]\n", more)
        view = View(home)
        with Daemon(folder, config) as daemon:
            daemon.wait_ready()
            discovery(view, daemon)
            sounds(view)
            control(view, home, daemon)
            figures(view, home)
            comings_and_goings(view, home, daemon, config)
            check("no traceback of the daemon", "Traceback" not in daemon.log)
        off = config + "\n[mqtt.homeassistant]\nenabled = false\n"
        with Daemon(folder, off) as daemon:
            daemon.wait_ready()
            until(lambda: not home.devices(), "the device is gone", PATIENCE_S)
            check("without discovery the device goes", not home.entities())
        complaints = [
            line for line in home.log.splitlines() if "mqtt" in line and ("ERROR" in line or "WARN" in line)
        ]
        for line in complaints:
            say(f"  Home Assistant said: {line}")
        check("Home Assistant has nothing to complain about", not complaints)
        return home.version


def main(arguments: list[str]) -> int:
    """Verify; exit status 1 where something does not hold."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        version = verify(Root(Path(arguments[0]).absolute()))
    except StartError as error:
        sys.stderr.write(f"home_assistant: not verified: {error}\n")
        update({"home_assistant": {"verified": False}})
        return 1
    update({"home_assistant": {"version": version, "verified": True}})
    say(f"verified with Home Assistant {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
