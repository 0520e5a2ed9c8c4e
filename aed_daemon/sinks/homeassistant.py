"""Home Assistant's MQTT discovery, device-based: what each source looks like there. Pure functions.

Keys are Home Assistant's own abbreviations, which it expands before it looks at anything. One that it does
not know makes it pass over the whole device with no more than a line in its log.

Source: home-assistant.io/integrations/mqtt, "Device discovery payload", and the pages of the MQTT
binary sensor, event, number, sensor and switch.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from aed_daemon.config import HomeAssistantConfig
from aed_daemon.control.requests import SNR_DB_RANGE
from aed_daemon.manifest import LOUD_SOUND, TEST_EVENT
from aed_daemon.sinks.protocol import BridgeInfo
from aed_daemon.sinks.topics import Topics, to_json

EVENT_TEMPLATE = (
    "{% if value_json.type == 'start' and not value_json.replayed %}"
    "{{ {'event_type': value_json['class'], 'label': value_json.label, 'score': value_json.score, "
    "'start': value_json.start, 'snr_db': value_json.level.snr_db, 'event_id': value_json.id} | tojson }}"
    "{% else %}{}{% endif %}"
)
"""An event entity takes JSON with an `event_type`, and passes over `{}` without a word: what is an update,
an end or late is no new sound."""

_STATE_TEMPLATE = "{{ value_json.state }}"

_HEALTH: dict[str, dict[str, Any]] = {
    "real_time_factor": {"name": "Real-time factor", "ic": "mdi:speedometer"},
    "outbox_depth": {"name": "Events waiting", "ic": "mdi:tray-full"},
    "dead_letters": {"name": "Events refused", "ic": "mdi:email-off-outline"},
    "pss_mb": {"name": "Memory", "dev_cla": "data_size", "unit_of_meas": "MiB"},
}
"""By key of bridge/health."""


def birth_topic(config: HomeAssistantConfig) -> str:
    """Return where Home Assistant says that it has started."""
    return f"{config.prefix}/status"


def discovery_topic(config: HomeAssistantConfig, topics: Topics, source: str) -> str:
    """Return where a source's device is described."""
    return f"{config.prefix}/device/{object_id(topics, source)}/config"


def object_id(topics: Topics, source: str) -> str:
    """Return the id of a source's device: of the characters that Home Assistant takes, and unique.

    It depends on prefix, node and source alone, so a label, a model or a class can change under it.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{topics.base}_{source}").strip("_")
    return f"{plain[:80]}_{hashlib.sha256(f'{topics.base}/{source}'.encode()).hexdigest()[:6]}"


def device(
    config: HomeAssistantConfig,
    topics: Topics,
    source: str,
    info: BridgeInfo,
    *,
    controllable: bool,
    gone: Mapping[str, str],
) -> str:
    """Return the description of a source's device.

    Parameters
    ----------
    config : HomeAssistantConfig
        How it is to appear.
    topics : Topics
        Of the node.
    source : str
        The source.
    info : BridgeInfo
        Model, version and classes.
    controllable : bool
        Whether commands are taken: without them there is no switch and no threshold.
    gone : mapping of str to str
        Components that an earlier description had, by id, and their platforms. Those that are no
        longer there are described by their platform alone, which removes them.
    """
    identity = object_id(topics, source)
    components = _components(topics, source, info, controllable)
    about = {
        "ids": [identity],
        "name": f"{topics.node} {source}",
        "mf": "aed-daemon",
        "mdl": info.model_name,
        "sw": info.version,
    }
    if config.suggested_area is not None:
        about["sa"] = config.suggested_area
    return to_json(
        {
            "dev": about,
            "o": {"name": "aed-daemon", "sw": info.version},
            "cmps": {
                **{name: {"p": platform} for name, platform in gone.items()},
                **{
                    name: {"uniq_id": f"{identity}_{name}", **component}
                    for name, component in components.items()
                },
            },
            "avty": _availability(topics, source),
            "avty_mode": "all",
            "qos": 1,
        }
    )


def platforms(topics: Topics, source: str, info: BridgeInfo, controllable: bool) -> dict[str, str]:
    """Return the components of a source's device by id, with their platforms."""
    described = _components(topics, source, info, controllable)
    return {name: str(component["p"]) for name, component in described.items()}


def _components(
    topics: Topics, source: str, info: BridgeInfo, controllable: bool
) -> dict[str, dict[str, Any]]:
    # What does not depend on the device being open is there whenever the daemon is.
    always = {"avty": _availability(topics, None)}
    found: dict[str, dict[str, Any]] = {
        f"class_{slug}": _heard(topics, source, slug, label) for slug, label in info.classes.items()
    }
    found["event"] = {
        "p": "event",
        "name": "Sound",
        "ic": "mdi:ear-hearing",
        "stat_t": topics.event(source),
        "evt_typ": [*info.classes, TEST_EVENT],
        "val_tpl": EVENT_TEMPLATE,
    }
    found["level"] = {
        "p": "sensor",
        "name": "Level",
        "ic": "mdi:volume-high",
        "stat_t": topics.level(source),
        "val_tpl": "{{ value_json.rms_dbfs }}",
        "unit_of_meas": "dBFS",
        "stat_cla": "measurement",
        "ent_cat": "diagnostic",
        "en": False,  # once a second is much for a data base
    }
    for key, looks in _HEALTH.items():
        found[key] = {
            "p": "sensor",
            "stat_t": topics.bridge_health,
            "val_tpl": f"{{{{ value_json.{key} }}}}",
            "stat_cla": "measurement",
            "ent_cat": "diagnostic",
            **looks,
            **always,
        }
    if controllable:
        found["listening"] = {
            "p": "switch",
            "name": "Listening",
            "ic": "mdi:microphone",
            "stat_t": topics.listening_state(source),
            "cmd_t": topics.listening_set(source),
            **always,
        }
        for slug, label in info.classes.items():
            found[f"threshold_{slug}"] = {**_threshold(topics, source, slug, label), **always}
    return found


def _heard(topics: Topics, source: str, slug: str, label: str) -> dict[str, Any]:
    return {
        "p": "binary_sensor",
        "name": label,
        "dev_cla": "sound",
        "stat_t": topics.class_state(source, slug),
        "json_attr_t": topics.class_attributes(source, slug),
    }


def _threshold(topics: Topics, source: str, slug: str, label: str) -> dict[str, Any]:
    scale: dict[str, Any] = {"min": 0.01, "max": 1.0, "step": 0.01}
    if slug == LOUD_SOUND:
        low, high = SNR_DB_RANGE
        scale = {"min": low, "max": high, "step": 0.5, "unit_of_meas": "dB"}
    return {
        "p": "number",
        "name": f"{label} threshold",
        "ic": "mdi:tune-variant",
        "stat_t": topics.threshold_state(source, slug),
        "cmd_t": topics.threshold_set(source, slug),
        "mode": "box",
        "ent_cat": "config",
        **scale,
    }


def _availability(topics: Topics, source: str | None) -> list[dict[str, str]]:
    places = [topics.bridge_state] if source is None else [topics.bridge_state, topics.availability(source)]
    return [{"t": place, "val_tpl": _STATE_TEMPLATE} for place in places]
