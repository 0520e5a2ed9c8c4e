"""`aed-daemon check-config`: say what is wrong with a configuration."""

from __future__ import annotations

import argparse
import os

from aed_daemon.cli.settings import configuration
from aed_daemon.config import Config
from aed_daemon.config_file import check_against_model, located
from aed_daemon.errors import ConfigError
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest


def execute(args: argparse.Namespace) -> int:
    """Check file, environment and model; with --connect the broker too."""
    config, path = configuration(args.file)
    check_against_model(config, load_manifest(config.model.path or DEFAULT_MODEL))
    if config.mqtt.enabled:
        _check_credentials(config)
    print(f"{path or 'the environment'}: good. Node {config.node}, {len(config.source)} source(s).")
    if args.connect and config.mqtt.enabled:
        from aed_daemon.sinks.mqtt import check_connection

        check_connection(config.mqtt)
        print(f"mqtt: {config.mqtt.host}:{config.mqtt.effective_port} lets it in.")
    elif args.connect:
        print("mqtt: not enabled.")
    return 0


def _check_credentials(config: Config) -> None:
    """Read password and certificates as `run` would; a systemd credential only where systemd gave it."""
    from aed_daemon.sinks.credentials import load_credentials

    given = "CREDENTIALS_DIRECTORY" in os.environ
    absent = {} if given else {"password_credential": None}
    try:
        load_credentials(config.mqtt.model_copy(update=absent))
    except ConfigError as error:
        raise located(error, config) from None
