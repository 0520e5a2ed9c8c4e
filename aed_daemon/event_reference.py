"""Writes the JSON Schema of the events: `python -m aed_daemon.event_reference docs/event.schema.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aed_daemon.events import event_schema


def reference() -> str:
    """Return the text of the published schema file."""
    return json.dumps(event_schema(), indent=2) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
