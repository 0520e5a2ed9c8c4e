"""Relay: the network between a client and a broker, which can be slow, cut, dead or closed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self


class Relay:
    """Passes TCP connections on to a port of this machine; cuts them after so many bytes, or at once.

    Parameters
    ----------
    to_port : int
        Where connections go.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._closed = False
        self._up = True
        self._swallows = False
        self._delay_s = 0.0
        self._bytes_left: int | None = None
        self._threads: list[threading.Thread] = []
        self.cuts = 0

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._begin(self._accept, self._server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut everything and end."""
        self._closed = True
        self._stop_listening()
        self._cut()
        for thread in self._threads:
            thread.join(10)

    def down(self) -> None:
        """Cut every connection, and every new one at once."""
        self._up = False
        self._cut()

    def up(self) -> None:
        """Let everything through at once again; connections that have lost bytes are cut."""
        if self._swallows:
            self._swallows = False
            self._cut()
        self._delay_s = 0.0
        if self._server.fileno() < 0:
            self._server = socket.create_server(("127.0.0.1", self.port))
            self._begin(self._accept, self._server)
        self._up = True

    def refuse(self) -> None:
        """Cut every connection, and listen no more: new ones are refused."""
        self._stop_listening()
        self._cut()

    def swallow(self) -> None:
        """Lose every byte from now on, while connections seem to stand."""
        self._swallows = True

    def slow(self, delay_s: float) -> None:
        """Hand everything on so much later."""
        self._delay_s = delay_s

    def _stop_listening(self) -> None:
        with suppress(OSError):  # it does not listen
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def cut_after(self, count: int) -> None:
        """Cut the connections when so many bytes more have gone through, in the middle of a packet."""
        with self._lock:
            self._bytes_left = count

    def _begin(self, run: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket) -> None:
        while not self._closed:
            try:
                client, _ = server.accept()
            except OSError:
                return
            if not self._up:
                client.close()
                continue
            try:
                broker = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open += [client, broker]
            self._begin(self._pass_on, client, broker)
            self._begin(self._pass_on, broker, client)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), ExitStack() as ends:
            ends.callback(self._end, source)
            ends.callback(self._end, target)
            lossy = False
            while data := source.recv(4_096):
                if delay_s := self._delay_s:
                    time.sleep(delay_s)
                lossy = lossy or self._swallows
                if not lossy:
                    self._send(data, target)
                elif not self._swallows:  # what comes now does not follow on what went before
                    return

    def _send(self, data: bytes, target: socket.socket) -> None:
        with self._lock:
            left = self._bytes_left
            if left is not None:
                data, self._bytes_left = data[:left], max(0, left - len(data))
            last = self._bytes_left == 0
            if last:
                self._bytes_left = None
        target.sendall(data)
        if last:
            self.cuts += 1
            self._cut()

    def _cut(self) -> None:
        with self._lock:
            ends, self._open = self._open, []
        for end in ends:
            self._end(end)

    @staticmethod
    def _end(end: socket.socket) -> None:
        with suppress(OSError):  # the other side may have been first
            end.shutdown(socket.SHUT_RDWR)
        end.close()
