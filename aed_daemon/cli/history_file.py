"""Where the commands find the history: where the daemon keeps it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from aed_daemon.cli.settings import configuration
from aed_daemon.config_file import find_config
from aed_daemon.history.archive import Archive
from aed_daemon.history.companion import FILE_NAME, place
from aed_daemon.state_file import state_folder

SERVICE_STATE = Path("/var/lib/aed")
"""The state directory of the systemd unit, which a shell does not know."""


def archive_of(args: argparse.Namespace) -> Archive:
    """Return the history that is named, configured, or where `run` keeps it.

    Raises
    ------
    ConfigError
        For a fault in the configuration.
    """
    if args.file is not None:
        return Archive(args.file)
    configured = None
    if args.config or find_config(os.environ):
        configured = configuration(args.config)[0].history.path
    own = place(configured, state_folder(os.environ)) or Path(FILE_NAME)
    service = SERVICE_STATE / FILE_NAME
    return Archive(service if configured is None and not own.exists() and service.exists() else own)
