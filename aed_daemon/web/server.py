"""Server: uvicorn on a thread and an event loop of its own, which waits for its port as long as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import threading

import structlog
import uvicorn
from starlette.types import ASGIApp

from aed_daemon.sinks.ratelimit import OncePer

_log = structlog.get_logger(__name__)

_RETRY_S = 2.0
_SPARE_CONNECTIONS = 64
"""Connections beyond those of the viewers: for files, questions and Prometheus."""


class _Seldom(logging.Filter):
    """Lets the same message of a library through at most once a minute, whatever strangers send."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet = OncePer()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a message is due."""
        return self._quiet.due(str(record.msg)) is not None


_SELDOM = _Seldom()


class _Patient(uvicorn.Server):
    """uvicorn without its ten turns a second, which cost more than idle pages do: it waits for its end."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Wait until it is to end."""
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        if not self.should_exit:
            await self._ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; who does not read what is left for him is hung up on."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # for the transports to close

    def end(self) -> None:
        """Have it end; from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._ended.set)


class Server:
    """Serves an application until it is closed.

    Parameters
    ----------
    app : ASGIApp
        What answers.
    host, port : str, int
        Where.
    max_viewers : int
        Connections that stay open.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, max_viewers: int) -> None:
        self._app, self._host, self._port = app, host, port
        self._max_connections = max_viewers + _SPARE_CONNECTIONS
        self._closing = threading.Event()
        self._serving: _Patient | None = None
        self._quiet = OncePer()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Begin; a port that is taken is waited for."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End, and wait for that for so long."""
        self._closing.set()
        if self._serving is not None:
            self._serving.end()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with self._bound() as listener:
                    _log.info("web", url=f"http://{_url_host(self._host)}:{self._port}/")
                    self._serve(listener)
            except OSError as error:
                self._complain(error)
            self._closing.wait(_RETRY_S)

    def _serve(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            self._app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=self._max_connections,
            timeout_graceful_shutdown=1,
        )
        logging.getLogger("uvicorn.error").addFilter(_SELDOM)  # a second time it is not added
        self._serving = _Patient(config)
        if not self._closing.is_set():
            self._serving.run([listener])

    def _bound(self) -> contextlib.closing[socket.socket]:
        family, _, _, _, address = socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=family, backlog=128)
        return contextlib.closing(listener)

    def _complain(self, error: OSError) -> None:
        held = self._quiet.due(str(error.errno))
        if held is None:
            return
        hint = "Another program has that port; set web.port." if error.errno == errno.EADDRINUSE else None
        _log.error(
            "web_cannot_listen", host=self._host, port=self._port, error=str(error), hint=hint, not_shown=held
        )


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
