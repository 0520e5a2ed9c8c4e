"""sd_notify against a real datagram socket, and the watchdog's judgement of progress."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon.notify import Notifier, ProgressWatch, SourceProgress


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@aed-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address.replace("@", "\0"))
        receiver.settimeout(5)
        yield receiver, address


def test_messages(listener: tuple[socket.socket, str]) -> None:
    receiver, address = listener
    notifier = Notifier({"NOTIFY_SOCKET": address})
    assert notifier.enabled
    notifier.ready("Listening:\nporch")
    assert receiver.recv(4096) == b"READY=1\nSTATUS=Listening: porch"
    notifier.status("waiting for\tthe microphone Ü")
    assert receiver.recv(4096).decode() == "STATUS=waiting for the microphone Ü"
    notifier.watchdog()
    assert receiver.recv(4096) == b"WATCHDOG=1"
    notifier.reloading()
    first, second = receiver.recv(4096).split(b"\n")
    assert first == b"RELOADING=1"
    assert second.startswith(b"MONOTONIC_USEC=")
    notifier.stopping()
    assert receiver.recv(4096).startswith(b"STOPPING=1\nSTATUS=")
    assert notifier.failures == 0


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative/path"])
def test_without_a_socket_nothing_happens(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"})
    notifier.ready("")
    notifier.watchdog()
    assert not notifier.enabled
    assert notifier.watchdog_interval_s is None
    assert notifier.failures == 0


def test_a_socket_that_is_gone_is_counted(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    notifier.status("x")
    assert notifier.failures == 1


def test_a_full_socket_does_not_hold_the_caller(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(10_000):
            notifier.watchdog()
        assert notifier.failures > 0


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_watchdog_interval(env: dict[str, str], expected: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/x", **env}).watchdog_interval_s == expected


def running(samples: int, hops: int) -> SourceProgress:
    return SourceProgress("running", samples, hops)


def test_progress_of_everything_feeds_the_watchdog() -> None:
    watch = ProgressWatch()
    assert watch.check(1, {"a": running(0, 0), "b": running(0, 0)})
    assert watch.check(2, {"a": running(10, 1), "b": running(10, 1)})
    assert watch.stuck == ()


@pytest.mark.parametrize(
    ("turns", "source", "stuck"),
    [
        (1, running(20, 2), ("main loop",)),
        (2, running(10, 2), ("a: samples",)),
        (2, running(20, 1), ("a: hops",)),
        (1, running(10, 1), ("main loop", "a: samples", "a: hops")),
    ],
)
def test_each_standstill_starves_it(turns: int, source: SourceProgress, stuck: tuple[str, ...]) -> None:
    watch = ProgressWatch()
    assert watch.check(1, {"a": running(10, 1)})
    assert not watch.check(turns, {"a": source})
    assert watch.stuck == stuck
    assert watch.check(3, {"a": running(30, 3)})


def test_progress_is_measured_from_the_last_ping() -> None:
    watch = ProgressWatch()
    assert watch.check(1, {"a": running(1, 1), "b": running(1, 1)})
    assert not watch.check(2, {"a": running(2, 2), "b": running(1, 1)})
    assert watch.check(3, {"a": running(2, 2), "b": running(2, 2)})  # each moved since the ping, at its time


def test_one_stuck_source_is_not_covered_by_another() -> None:
    watch = ProgressWatch()
    watch.check(0, {"a": running(0, 0), "b": running(0, 0)})
    assert not any(watch.check(n, {"a": running(n, n), "b": running(0, 0)}) for n in range(1, 50))


@pytest.mark.parametrize("state", ["paused", "not_listening", "waiting", "respawning", "ended", "opening"])
def test_sources_that_do_not_run_are_exempt(state: str) -> None:
    watch = ProgressWatch()
    assert all(watch.check(n, {"a": SourceProgress(state, 0, 0)}) for n in range(5))


def test_a_source_that_comes_back_is_measured_anew() -> None:
    watch = ProgressWatch()
    assert watch.check(1, {"a": running(100, 10)})
    assert watch.check(2, {"a": SourceProgress("waiting", 100, 10)})
    assert watch.check(3, {"a": running(100, 10)})  # just begun
    assert not watch.check(4, {"a": running(100, 10)})
    assert watch.check(5, {"a": running(160, 11)})


def test_a_newcomer_during_a_standstill_is_measured_from_then() -> None:
    watch = ProgressWatch()
    watch.check(1, {"a": running(1, 1)})
    assert not watch.check(2, {"a": running(1, 1), "b": running(5, 5)})
    assert not watch.check(3, {"a": running(2, 2), "b": running(5, 5)})
    assert watch.stuck == ("b: samples", "b: hops")


def test_no_sources_leave_the_main_loop() -> None:
    watch = ProgressWatch()
    assert watch.check(1, {})
    assert not watch.check(1, {})
    assert watch.check(2, {})


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 3)), min_size=2))
def test_it_never_feeds_without_progress(steps: list[tuple[bool, int, int]]) -> None:
    watch, samples, hops = ProgressWatch(), 0, 0
    fed: tuple[int, int] | None = None
    for turn, (runs, more_samples, more_hops) in enumerate(steps):
        samples, hops = samples + more_samples, hops + more_hops
        state = "running" if runs else "waiting"
        ok = watch.check(turn, {"a": SourceProgress(state, samples, hops)})
        if ok and runs and fed is not None:
            assert samples > fed[0]
            assert hops > fed[1]
        if not runs:
            assert ok
            fed = None
        elif ok:
            fed = (samples, hops)
