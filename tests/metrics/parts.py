"""A daemon inside the test's process that keeps metrics."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aed_daemon.companion_kinds import METRICS
from aed_daemon.companions import Companion, Surroundings
from aed_daemon.config import Config
from aed_daemon.inference import load_classifier
from aed_daemon.metrics.metrics import Metrics
from aed_daemon.supervisor import Daemon
from aed_daemon.verdict import answer


class Measured:
    """A daemon on a thread of its own, with its metrics; ends with the context.

    Parameters
    ----------
    config : dict
        The configuration.
    others : sequence of Companion
        Others that look on.
    state : Path, optional
        For what survives.
    """

    def __init__(
        self, config: dict[str, Any], others: Sequence[Companion] = (), state: Path | None = None
    ) -> None:
        self.config = Config.model_validate(config)
        around = Surroundings(
            self.config,
            load_classifier(),
            state,
            lambda: self.daemon.health(),
            lambda: dict(self.daemon.figures().states),
            lambda _: self.config.detection,
            figures=lambda: self.daemon.figures(),
        )
        made = METRICS.make(around)
        assert isinstance(made, Metrics)
        self.metrics = made
        self.daemon = Daemon(self.config, companions=[self.metrics, *others], state=state)
        self._thread = threading.Thread(target=self.daemon.run, name="daemon")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.daemon.stop()
        self.join()

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join(30.0)
        assert not self._thread.is_alive()

    def healthz(self) -> tuple[bool, dict[str, Any]]:
        """Return what /healthz would say."""
        return answer(self.daemon.figures())

    def values(self) -> dict[tuple[str, ...], float]:
        """Return every sample of the exposition by its name and the values of its labels."""
        return parsed(self.metrics.exposition()[0].decode())

    def value(self, name: str, *labels: str) -> float | None:
        """Return one of them; None where it is not there."""
        return self.values().get((name, *labels))


def parsed(text: str) -> dict[tuple[str, ...], float]:
    """Return samples as Prometheus's own parser reads them: by name and the values of their labels."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def promtool(*arguments: str | Path, text: str = "", folder: Path | None = None) -> None:
    """Run promtool, which must have nothing to say against what it is given.

    Where it is missing, the test is skipped; under CI it fails.
    """
    if shutil.which("promtool") is None:
        told = pytest.fail if os.environ.get("CI") else pytest.skip
        told("promtool not found: apt-get install prometheus")
    done = subprocess.run(
        ["promtool", *map(str, arguments)],
        input=text, capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
