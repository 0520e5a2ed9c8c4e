"""The server: a port that is taken, requests that are none, viewers that stall or are many."""

from __future__ import annotations

import gc
import socket
import time
from contextlib import ExitStack, closing

import pytest
from structlog.testing import capture_logs

from aed_daemon.companion_kinds import WEB
from aed_daemon.errors import ConfigError
from aed_daemon.web.hub import QUEUE_MESSAGES
from aed_daemon.web.web import Web
from tests.process import free_port
from tests.waiting import wait_for
from tests.web.parts import Stream, ask, heard, serving, settings, surroundings


def test_a_port_that_is_taken_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aed_daemon.web.server._RETRY_S", 0.02)
    port = free_port()
    with closing(socket.create_server(("127.0.0.1", port))) as taken, capture_logs() as logs:
        page = Web(surroundings(settings(port)))
        page.start()
        try:
            wait_for(lambda: logs, "a complaint")
            page.hop(heard(0))
            taken.close()
            wait_for(lambda: any(line["event"] == "web" for line in logs), "the port is had")
            assert ask(port, "/api/state").status == 200
        finally:
            page.close(5.0)
        complaints = [line for line in logs if line["event"] == "web_cannot_listen"]
        assert len(complaints) == 1
        assert "web.port" in complaints[0]["hint"]


def test_its_port_is_free_again_when_it_has_closed() -> None:
    with serving() as (page, port), Stream(port) as stream:
        assert stream.next()[0] == "hello"
        page.close(5.0)
        with closing(socket.create_server(("127.0.0.1", port))):
            pass


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(__import__("sys").modules, "aed_daemon.web.web")
    monkeypatch.setitem(__import__("sys").modules, "aed_daemon.web.web", None)
    with pytest.raises(ConfigError, match=r"aed-daemon\[web\].*apt-get install"):
        WEB.make(surroundings(settings(free_port())))


def test_it_is_wanted_only_where_it_is_enabled() -> None:
    assert WEB.wanted(settings(8770, enabled=False)) is None
    assert WEB.wanted(settings(8770)) == WEB.wanted(settings(8770))
    assert WEB.wanted(settings(8770)) != WEB.wanted(settings(8771))


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /api/labels HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_malformed_requests_are_refused(rubbish: bytes) -> None:
    with serving() as (_, port):
        with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as peer:
            peer.sendall(rubbish)
            peer.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while chunk := peer.recv(65_536):
                    answer += chunk
            except ConnectionResetError:
                pass
        assert b" 200 " not in answer.partition(b"\r\n")[0]
        assert ask(port, "/api/state").status == 200


def test_what_strangers_send_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as (_, port):
        for _ in range(3):
            with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as peer:
                peer.sendall(b"\x00\r\n\r\n")
                assert peer.recv(65_536).startswith(b"HTTP/1.1 400")
    assert len([line for line in caplog.records if line.name == "uvicorn.error"]) <= 1


def test_stalled_viewers_hold_nobody_up() -> None:
    """They never read: the sockets fill, then the queues, and nothing else."""
    with serving() as (page, port), ExitStack() as stalled:
        for _ in range(5):
            peer = stalled.enter_context(closing(socket.socket()))
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            peer.connect(("127.0.0.1", port))
            peer.sendall(f"GET /live HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        wait_for(lambda: page._hub.viewers == 5, "all look")
        with Stream(port) as awake:
            assert awake.next()[0] == "hello"
            slowest_s = 0.0
            for number in range(3 * QUEUE_MESSAGES):
                for half in range(20):  # far more than real time
                    begun_s = time.perf_counter()
                    page.hop(heard(20 * number + half))
                    slowest_s = max(slowest_s, time.perf_counter() - begun_s)
            page.availability("porch", False, "last")
            while awake.next("availability")[1]["reason"] != "last":
                pass
        held = [len(viewer.queue) for viewer in page._hub._viewers]
        page.close(5.0)
        assert gc.collect() >= 0, "whatever was left open would be told here, as a warning"
        assert max(held) <= QUEUE_MESSAGES
        assert slowest_s < 1.0


def test_two_hundred_idle_viewers() -> None:
    with serving() as (page, port), ExitStack() as open_streams:
        streams = [open_streams.enter_context(Stream(port)) for _ in range(200)]
        assert {stream.next()[0] for stream in streams} == {"hello"}
        for number in range(3):
            page.hop(heard(number))
        for stream in streams:
            assert [stream.next("hop")[1]["end"] for _ in range(3)] == [
                heard(number).end_sample for number in range(3)
            ]
        assert ask(port, "/api/state").status == 200
    assert page._hub.viewers == 0


def test_nobody_looks_so_nothing_is_made() -> None:
    with serving() as (page, _):
        made: list[object] = []
        page._sources["porch"].messages.make = made.append  # type: ignore[method-assign,assignment]
        page.hop(heard(0))
        assert made == []
