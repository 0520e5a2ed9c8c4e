"""Entry point of `aed-daemon` and `python -m aed_daemon`."""

from __future__ import annotations

import sys

from aed_daemon.cli import main

if __name__ == "__main__":
    sys.exit(main())
