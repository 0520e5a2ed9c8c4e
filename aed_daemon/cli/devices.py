"""`aed-daemon devices`: the microphones that a configuration can name."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict


def execute(args: argparse.Namespace) -> int:
    """Print every input device; none is an answer too."""
    from aed_daemon.audio.capture import list_devices
    from aed_daemon.audio.identity import cards, identity_of

    there = cards()
    devices = [(device, identity_of(device.name, there)) for device in list_devices()]
    if args.json:
        listed = [{**asdict(device), "identity": identity} for device, identity in devices]
        print(json.dumps(listed, indent=2))
        return 0
    if not devices:
        print("No microphone was found. aed-daemon doctor says what may be missing.")
    for device, identity in devices:
        facts = [device.host_api]
        if device.channels is not None:
            facts.insert(0, f"{device.channels} {'channel' if device.channels == 1 else 'channels'}")
        if device.default_rate_hz is not None:
            facts.insert(1, f"{device.default_rate_hz} Hz")
        print(f"{device.index:3}  {device.name}  ({', '.join(facts)})")
        if identity:
            print(f"     device = {json.dumps(identity, ensure_ascii=False)}")
    return 0
