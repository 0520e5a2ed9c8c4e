"""`aed-daemon devices`: the microphones that a configuration can name."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict


def execute(args: argparse.Namespace) -> int:
    """Print every input device; none is an answer too."""
    from aed_daemon.audio.capture import list_devices

    devices = list_devices()
    if args.json:
        print(json.dumps([asdict(device) for device in devices], indent=2))
        return 0
    if not devices:
        print("No microphone was found. aed-daemon doctor says what may be missing.")
    for device in devices:
        plural = "channel" if device.channels == 1 else "channels"
        rate = f"{device.default_rate_hz} Hz"
        print(f"{device.index:3}  {device.name}  ({device.channels} {plural}, {rate}, {device.host_api})")
    return 0
