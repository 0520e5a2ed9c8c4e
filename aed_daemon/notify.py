"""Telling systemd how things are: readiness, status, and a watchdog that is fed by progress alone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

RUNNING = "running"
"""The state in which a source owes progress; in every other it is exempt."""


class Notifier:
    """Sends sd_notify messages; without a socket, and after a failure to send, it does nothing.

    Parameters
    ----------
    env : mapping, optional
        The environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. Default: the process's.

    Attributes
    ----------
    watchdog_interval_s : float or None
        systemd's WatchdogSec: it wants a ping more often than that. None: no watchdog for this process.
    failures : int
        Messages that could not be sent.

    Source
    ------
    sd_notify(3), sd_watchdog_enabled(3).
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        env = os.environ if env is None else env
        self._address = _address(env.get("NOTIFY_SOCKET", ""))
        self.watchdog_interval_s = _watchdog_interval_s(env) if self._address else None
        self.failures = 0

    @property
    def enabled(self) -> bool:
        """Whether somebody listens."""
        return self._address is not None

    def ready(self, status: str) -> None:
        """Say that start or reload is complete, and how things are."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def status(self, text: str) -> None:
        """Say how things are, in one readable line."""
        self._send(f"STATUS={_one_line(text)}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1\nSTATUS=Stopping: open events are ended and sent.")

    def reloading(self) -> None:
        """Say that the configuration is read anew; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def watchdog(self) -> None:
        """Feed the watchdog; only ever after `ProgressWatch.check` says so."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)  # a full socket must not hold the main loop
                sender.sendto(message.encode(errors="replace"), self._address)
        except OSError:
            self.failures += 1


def _address(text: str) -> str | None:
    if text.startswith("@"):
        return f"\0{text[1:]}"
    return text if text.startswith("/") else None


def _watchdog_interval_s(env: Mapping[str, str]) -> float | None:
    if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = env.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isascii() and text.isdigit() and int(text) > 0 else None


def _one_line(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True)
class SourceProgress:
    """How far a source has come.

    Attributes
    ----------
    state : str
        "running" if it owes progress. Paused, not listening, waiting for a device, respawning,
        ended: anything else is exempt.
    samples : int
        Samples captured so far.
    hops : int
        Hops decided so far; gated ones count.
    """

    state: str
    samples: int
    hops: int


class ProgressWatch:
    """Says whether everything that should move has moved since it last said so.

    A source that has begun to run since then is measured from the check that first saw it, so a
    restarted counter is no standstill.

    Attributes
    ----------
    stuck : tuple of str
        What did not move at the last check: "main loop", or source and counter.
    """

    def __init__(self) -> None:
        self._turns: int | None = None
        self._seen: dict[str, SourceProgress] = {}
        self.stuck: tuple[str, ...] = ()

    def check(self, main_turns: int, sources: Mapping[str, SourceProgress]) -> bool:
        """Return whether the watchdog may be fed.

        Parameters
        ----------
        main_turns : int
            Turns of the main loop so far.
        sources : mapping of str to SourceProgress
            Every source, running or not.
        """
        running = {name: source for name, source in sources.items() if source.state == RUNNING}
        stuck = ["main loop"] if main_turns == self._turns else []
        for name, now in running.items():
            before = self._seen.get(name)
            if before is not None and now.samples == before.samples:
                stuck.append(f"{name}: samples")
            if before is not None and now.hops == before.hops:
                stuck.append(f"{name}: hops")
        self.stuck = tuple(stuck)
        if stuck:  # those that moved are still measured from the last ping; newcomers from now
            self._seen = {name: self._seen.get(name, now) for name, now in running.items()}
            return False
        self._turns, self._seen = main_turns, running
        return True
