"""The relay's own troubles: what a client sees of each."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.sinks.relay import Relay


@pytest.fixture
def relay() -> Iterator[Relay]:
    """Return a relay to a server that sends back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def echo() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(4_096):
                connection.sendall(data)

    thread = threading.Thread(target=echo)
    thread.start()
    with Relay(server.getsockname()[1]) as relay:
        yield relay
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


def connected(relay: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=10.0)


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(10) == b""
    except ConnectionResetError:
        return True


def test_what_is_delayed_comes_later_and_whole(relay: Relay) -> None:
    with connected(relay) as client:
        relay.slow(0.1)
        began_s = time.monotonic()
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        assert time.monotonic() - began_s >= 0.2
        relay.up()
        client.sendall(b"again")
        assert client.recv(10) == b"again"


def test_a_dead_connection_stands_until_the_network_is_back(relay: Relay) -> None:
    with connected(relay) as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        relay.swallow()
        client.sendall(b"lost")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(10)
        relay.up()
        client.settimeout(10.0)
        assert ended(client)
    with connected(relay) as client:
        client.sendall(b"new")
        assert client.recv(10) == b"new"


def test_a_closed_port_refuses_and_opens_again(relay: Relay) -> None:
    with connected(relay) as client:
        relay.refuse()
        assert ended(client)
    relay.refuse()
    with pytest.raises(ConnectionRefusedError):
        connected(relay)
    relay.up()
    with connected(relay) as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
