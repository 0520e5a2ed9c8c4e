"""Files from the public internet: resumed where they were cut off, checked, never half there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from aed_daemon.errors import AedError
from model_tools.data.disk import told

TIMEOUT_S = 30.0
ATTEMPTS = 5
"""Without a single new byte in between; a slow line that keeps breaking is gone on with."""

_BLOCK = 1 << 16

Progress = Callable[[int, int | None], None]
"""Told how many bytes there are, and of how many if that is known."""


class _Answer(NamedTuple):
    """What a server sends: from which byte on, and how long the whole is, if it says so."""

    start: int
    total: int | None
    stream: HTTPResponse


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    progress: Progress = lambda *_: None,
    pause_s: float = 1.0,
) -> int:
    """Download a file; `target` is there only when it is whole and its hash is right.

    What has arrived is kept beside it as NAME.part. It is gone on with by an HTTP range request, now
    or in a later run; a server that does not know ranges sends all again.

    Parameters
    ----------
    url : str
        http or https.
    target : Path
        Where it goes.
    sha256 : str, optional
        What the file must hash to.
    progress : callable
        For a progress bar.
    pause_s : float
        Wait before another attempt.

    Returns
    -------
    int
        Bytes that had not to be loaded again, because an earlier run had them.

    Raises
    ------
    AedError
        If the address does not answer, the line keeps breaking, the disk is full or the hash is wrong.
    """
    part = target.with_name(f"{target.name}.part")
    kept = part.stat().st_size if part.exists() else 0
    with told(target):
        part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while failures < ATTEMPTS:
        before = part.stat().st_size if part.exists() else 0
        if failures:
            time.sleep(pause_s)
        try:
            if _some_more(url, part, progress):
                break
        except (URLError, HTTPException, OSError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        else:
            reason = "the connection was closed"
        after = part.stat().st_size if part.exists() else 0
        failures = 0 if after > before else failures + 1
    else:
        there = part.stat().st_size if part.exists() else 0
        raise AedError(
            "the download broke off" if there else "the download did not begin",
            where=url,
            got=f"{there} bytes, then: {reason}",
            hint="Run it again: it goes on from there." if there else "Check the network and the address.",
        )
    _checked(part, sha256, url)
    with told(target):
        part.replace(target)
    return kept


def _some_more(url: str, part: Path, progress: Progress) -> bool:
    """Load what is missing of a file; return whether it is whole."""
    start = part.stat().st_size if part.exists() else 0
    answer = _ask(url, start)
    if answer is None:  # the server has no more than this
        return True
    with answer.stream, told(part), part.open("ab") as file:
        if answer.start != start:
            file.truncate(answer.start)
            file.seek(answer.start)
        return _copy(answer, file, progress)


def _copy(answer: _Answer, file: BinaryIO, progress: Progress) -> bool:
    there = answer.start
    progress(there, answer.total)
    while True:
        try:
            block = answer.stream.read(_BLOCK)
        except (HTTPException, OSError):
            # Not a fault of the disk: what has arrived is kept, the rest is asked for again.
            return False
        if not block:
            return answer.total is None or there >= answer.total
        file.write(block)
        there += len(block)
        progress(there, answer.total)


def _ask(url: str, start: int) -> _Answer | None:
    if not url.startswith(("http://", "https://")):
        raise AedError("not an address", where=url, expected="http:// or https://", got=url.partition(":")[0])
    headers = {"User-Agent": "aed-model-tools", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        stream = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)  # noqa: S310 -- checked above
    except HTTPError as error:
        if error.code == 416 and start:
            total = error.headers.get("Content-Range", "").rpartition("/")[2]
            if total == str(start):
                return None
            return _ask(url, 0)  # what is there is not of this file
        if error.code in (429, 500, 502, 503, 504):
            raise
        raise AedError(
            "the server refuses",
            where=url,
            expected="200 OK",
            got=f"{error.code} {error.reason}",
            hint="The address may have changed: give the new one with --url.",
        ) from None
    length = stream.headers.get("Content-Length")
    if stream.status == 206:
        first, _, whole = stream.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        begin = int(first.partition("-")[0] or start)
        return _Answer(begin, int(whole) if whole.isdecimal() else None, stream)
    return _Answer(0, int(length) if length else None, stream)


def _checked(part: Path, sha256: str | None, url: str) -> None:
    if sha256 is None:
        return
    got = sha256_of(part)
    if got != sha256:
        part.unlink()
        raise AedError(
            "not the file that was expected",
            where=url,
            expected=f"sha256 {sha256[:16]}…",
            got=f"{got[:16]}…",
            hint="It has been deleted. Try again; if that does not help, the address holds another file now.",
        )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
