"""What systemd thinks of the unit: its exposure, 0 (safe) to 10.

`python -m benchmarks.exposure` puts it into the record of reliability.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import reliability
from benchmarks.outcome import Limit, Outcome, Row, UnavailableError

UNIT = Path(__file__).parents[1] / "systemd" / "aed-daemon.service"
LIMIT = Limit(1.5)


def parse(report: str) -> float:
    """Return the overall exposure that `systemd-analyze security` reports."""
    found = re.search(r"Overall exposure level for \S+: (\d+(?:\.\d+)?)", report)
    if found is None:
        raise ValueError(f"systemd-analyze says something else: {report[-200:]}")
    return float(found[1])


def exposure(unit: Path) -> float:
    """Return the exposure of a unit file."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        check=False,
        capture_output=True,
        text=True,
    )
    return parse(done.stdout + done.stderr)


def run(*, quick: bool) -> Outcome:  # noqa: ARG001 - it is quick
    """Measure it, beside a unit that protects nothing."""
    if shutil.which("systemd-analyze") is None:
        raise UnavailableError("systemd-analyze is missing: apt-get install systemd")
    if not UNIT.exists():
        raise UnavailableError(f"{UNIT.parent.name}/{UNIT.name} is missing")
    with TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.service"
        bare.write_text(f"[Service]\nExecStart={sys.executable}\n", encoding="utf-8")
        unprotected = exposure(bare)
    value = exposure(UNIT)
    return Outcome(
        figures={"systemd_exposure": value},
        details={"unit_without_settings": unprotected},
        rows=[Row("systemd exposure", value, "of 10", f"a unit without settings {unprotected:g}", LIMIT)],
    )


def main() -> int:
    """Measure, keep the record of reliability and return the exit status."""
    outcome = run(quick=False)
    value = outcome.figures["systemd_exposure"]
    print(f"systemd exposure {value:g} of 10, limit {LIMIT}")
    reliability.update(outcome.figures, details=outcome.details)
    return 0 if LIMIT.met(value) else 1


if __name__ == "__main__":
    sys.exit(main())
