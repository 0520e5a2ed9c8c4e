"""The page of a real daemon: over a reload, beside a port that is taken, and refused without its token."""

from __future__ import annotations

import signal
import socket
from contextlib import closing, suppress
from pathlib import Path

from tests.process import Daemon, aed, free_port, toml
from tests.waiting import wait_for
from tests.web.parts import Stream, ask

DEMO = 'name = "porch"\ntype = "demo"'


def web(port: int, more: str = "") -> str:
    return f"[web]\nenabled = true\nport = {port}\n{more}"


def answers(port: int) -> bool:
    with suppress(OSError):
        return ask(port, "/api/state").status == 200
    return False


def test_a_reload_moves_the_page_and_takes_it_away(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    with Daemon(tmp_path, toml([DEMO], more=web(first))) as daemon:
        daemon.wait_ready()
        with Stream(first) as stream:
            assert stream.next()[0] == "hello"
            assert stream.next("hop")[1]["source"] == "porch"
            daemon.config.write_text(toml([DEMO], more=web(second)))
            daemon.send(signal.SIGHUP)
            while stream.next()[0]:
                pass  # until its server has ended
        wait_for(lambda: answers(second), "the page has moved")
        assert not answers(first)
        daemon.config.write_text(toml([DEMO]))
        daemon.send(signal.SIGHUP)
        wait_for(lambda: not answers(second), "the page is gone")
        daemon.send(signal.SIGTERM)
        assert daemon.wait_end() == 0
        assert "Traceback" not in daemon.log


def test_a_port_that_is_taken_ends_nothing(tmp_path: Path) -> None:
    port = free_port()
    config = toml([DEMO], more=web(port) + "[output]\njsonl = true\n")
    with closing(socket.create_server(("127.0.0.1", port))), Daemon(tmp_path, config) as daemon:
        daemon.wait_ready()
        wait_for(lambda: "web_cannot_listen" in daemon.log, "a complaint")
        wait_for(lambda: daemon.stdout, "an event all the same")
        daemon.send(signal.SIGTERM)
        assert daemon.wait_end() == 0


def test_a_token_that_is_not_there_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "aed.toml"
    path.write_text(toml([DEMO], more=web(free_port(), 'token_file = "none"')))
    done = aed("run", "--config", path)
    assert done.returncode == 2
    assert "web.token_file: cannot read" in done.stderr
