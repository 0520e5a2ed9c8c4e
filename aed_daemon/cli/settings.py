"""The configuration of commands that can do without one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from aed_daemon.config import Config
from aed_daemon.config_file import find_config, load_config
from aed_daemon.errors import ConfigError


def configuration(path: Path | None) -> tuple[Config, Path | None]:
    """Return the configuration that is named or found, and where it was.

    Raises
    ------
    ConfigError
        For a fault in it, or where there is none.
    """
    path = path or find_config(os.environ)
    if path is None and not any(name.upper().startswith("AED__") for name in os.environ):
        raise ConfigError(
            "there is no configuration",
            expected="--config FILE, $AED_CONFIG, ./aed.toml, ~/.config/aed/aed.toml or /etc/aed/aed.toml",
            hint="Copy systemd/aed.toml and adapt it, or try aed-daemon run --demo.",
        )
    return load_config(path, os.environ), path


def built_in(source: dict[str, Any], **sections: Any) -> Config:
    """Return the defaults with one source."""
    return Config.model_validate({"source": [source], **sections})


def detection_settings(
    path: Path | None, model: Path | None, engine: str | None, source: dict[str, Any]
) -> Config:
    """Return model and detection settings for a one-shot command, its source put in place.

    They come from `path` if it is named, and from the defaults otherwise: a configuration that
    happens to lie around does not change what a replay gives.
    """
    config = load_config(path, os.environ) if path else built_in(source)
    wanted = {"path": model, "engine": engine}
    chosen = config.model.model_copy(
        update={key: value for key, value in wanted.items() if value is not None}
    )
    return config.model_copy(update={"source": built_in(source).source, "model": chosen})
