"""`aed-daemon label`: say what was right, wrong, or missed."""

from __future__ import annotations

import argparse
import time

from aed_daemon.cli.events import SHOWN_OF_ID
from aed_daemon.cli.history_file import archive_of
from aed_daemon.errors import ConfigError
from aed_daemon.events import iso_utc
from aed_daemon.history.archive import Archive

_EXPECTED = "ID right|wrong|none, or --missed --class CLASS --at TIME"


def execute(args: argparse.Namespace) -> int:
    """Write one label into the history."""
    archive = archive_of(args)
    if args.missed:
        return _missed(archive, args)
    if args.id is None or args.verdict is None or args.classes or args.at is not None:
        raise ConfigError("what is to be labelled is not clear", expected=_EXPECTED)
    sound = archive.find(args.id)
    archive.label(sound.id, None if args.verdict == "none" else args.verdict)
    said = "no label" if args.verdict == "none" else args.verdict
    print(f"{sound.class_} at {iso_utc(sound.start_ts)} ({sound.kind.replace('_', ' ')}): {said}")
    return 0


def _missed(archive: Archive, args: argparse.Namespace) -> int:
    if args.id is not None or len(args.classes) != 1 or args.at is None:
        raise ConfigError("what was missed is not clear", expected=_EXPECTED)
    (class_,) = args.classes
    if not 0 <= args.at <= time.time():
        raise ConfigError("nobody can have missed that yet", expected="a time that is past")
    known = archive.classes()
    if known and class_ not in known:
        raise ConfigError(f"no class '{class_}' was listened for", expected=", ".join(known))
    source = args.source[0] if len(args.source) == 1 else None
    sound_id = archive.missed(class_, args.at, source=source)
    print(f"{class_} at {iso_utc(args.at)}: missed ({sound_id[-SHOWN_OF_ID:]})")
    return 0
