"""`aed-daemon check-config`: say what is wrong with a configuration."""

from __future__ import annotations

import argparse

from aed_daemon.cli.settings import configuration
from aed_daemon.config_file import check_against_model
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest


def execute(args: argparse.Namespace) -> int:
    """Check file, environment and model; with --connect the broker too."""
    config, path = configuration(args.file)
    check_against_model(config, load_manifest(config.model.path or DEFAULT_MODEL))
    print(f"{path or 'the environment'}: good. Node {config.node}, {len(config.source)} source(s).")
    if args.connect and config.mqtt.enabled:
        from aed_daemon.sinks.mqtt import check_connection

        check_connection(config.mqtt)
        print(f"mqtt: {config.mqtt.host}:{config.mqtt.effective_port} lets it in.")
    elif args.connect:
        print("mqtt: not enabled.")
    return 0
