"""A web server of one file, that honours ranges, or not, and breaks off where it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """What it has, how it behaves, and what it was asked.

    Attributes
    ----------
    body : bytes
        The file.
    break_after : list of int
        Each answer sends so many bytes less than it should and closes: one number per answer.
    ranges : bool
        Whether it knows range requests.
    tells_length : bool
        Whether it says how long the file is.
    status : list of int
        Each answer fails with such a number first, while there are any.
    asked : list of str
        The Range header of each request, "" without one.
    """

    def __init__(self, body: bytes) -> None:
        self.body, self.break_after = body, list[int]()
        self.ranges = self.tells_length = True
        self.status, self.asked = list[int](), list[str]()
        self.url = ""


@contextmanager
def serving(body: bytes) -> Iterator[Server]:
    """Serve a file on a free port of this machine."""
    server = Server(body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            server.asked.append(asked)
            if server.status:
                self.send_error(server.status.pop(0))
                return
            start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked and server.ranges else 0
            if start >= len(server.body) > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.body)}")
                self.end_headers()
                return
            rest = server.body[start:]
            self.send_response(206 if start else 200)
            if start:
                last = len(server.body) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(server.body)}")
            if server.tells_length:
                self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            sent = server.break_after.pop(0) if server.break_after else len(rest)
            self.wfile.write(rest[:sent])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}/file"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
