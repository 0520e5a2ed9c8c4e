"""`aed-daemon run`: listen and publish, until stopped."""

from __future__ import annotations

import argparse
import os

from aed_daemon.cli.settings import configuration
from aed_daemon.errors import ConfigError


def execute(args: argparse.Namespace) -> int:
    """Run the daemon with its configuration, or the demonstration."""
    if args.demo:
        if args.config:
            raise ConfigError("--demo and --config exclude each other", hint="Leave one of them away.")
        from aed_daemon.cli.demo import demonstrate

        return demonstrate(soundscape=args.soundscape, loop=args.loop)
    if args.soundscape or args.loop:
        raise ConfigError("--soundscape and --loop belong to --demo", hint="Add --demo.")
    config, path = configuration(args.config)
    from aed_daemon.audio.launch import launch
    from aed_daemon.control.settings import FILE_NAME, RemoteSettings
    from aed_daemon.state_file import state_folder

    state = state_folder(os.environ)
    settings = RemoteSettings(state / FILE_NAME)
    settings.configure_sources(config.source)
    # What was switched off over MQTT stays closed.
    launched = launch(source for source in config.source if settings.silence(source.name) is None)
    from aed_daemon.logs import configure
    from aed_daemon.supervisor import Daemon

    configure(config.log)
    daemon = Daemon(
        config, reload=lambda: configuration(path)[0], launched=launched, settings=settings, state=state
    )
    daemon.handle_signals()
    daemon.run()
    return 0
