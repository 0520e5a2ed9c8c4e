"""`aed-daemon doctor`: what is missing, and how to get it."""

from __future__ import annotations

import argparse


def execute(args: argparse.Namespace) -> int:
    """Print every check; the exit status is that of the first one that failed."""
    from aed_daemon.doctor import run_checks

    checks = run_checks(args.config)
    for check in checks:
        print(f"{'ok  ' if check.ok else 'MISS'}  {check.name}: {check.text}")
        if not check.ok and check.hint:
            print(f"      {check.hint}")
    return next((check.exit_code for check in checks if not check.ok), 0)
