"""Against a server on this machine; the public addresses are not tried."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from aed_daemon.errors import AedError
from model_tools.data.download import download
from tests.model_tools.data.web import Server, serving

BODY = np.random.default_rng(1).bytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(BODY) as one:
        yield one


def fetch(server: Server, target: Path, sha256: str | None = SHA256) -> list[tuple[int, int | None]]:
    told: list[tuple[int, int | None]] = []
    download(server.url, target, sha256=sha256, progress=lambda *numbers: told.append(numbers), pause_s=0.0)
    return told


def test_a_file_arrives_whole_and_its_progress_is_told(server: Server, tmp_path: Path) -> None:
    told = fetch(server, tmp_path / "new" / "file")
    assert (tmp_path / "new" / "file").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert told[0] == (0, len(BODY))
    assert told[-1] == (len(BODY), len(BODY))
    assert [there for there, _ in told] == sorted(there for there, _ in told)
    assert server.asked == [""]


def test_a_broken_line_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.break_after = [100_000, 0, 50_000]
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.asked == ["", "bytes=100000-", "bytes=100000-", "bytes=150000-"]


def test_a_later_run_goes_on(server: Server, tmp_path: Path) -> None:
    server.break_after = [100_000, *[0] * 5]
    with pytest.raises(
        AedError, match=r"the download broke off: got 100000 bytes, then: the connection was closed"
    ):
        fetch(server, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file.part"]
    server.asked.clear()
    assert download(server.url, tmp_path / "file", sha256=SHA256) == 100_000
    assert server.asked == ["bytes=100000-"]
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_download_that_only_lacked_its_name_is_finished(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BODY)
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.asked == [f"bytes={len(BODY)}-"]


def test_what_is_there_of_another_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"x" * (len(BODY) + 7))
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.asked == [f"bytes={len(BODY) + 7}-", ""]


def test_a_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.break_after = [100_000]
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_server_that_tells_no_length(server: Server, tmp_path: Path) -> None:
    server.tells_length = False
    told = fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert told[-1] == (len(BODY), None)


def test_a_server_that_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.status = [503, 502]
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_missing_file_is_told_at_once(server: Server, tmp_path: Path) -> None:
    server.status = [404] * 9
    with pytest.raises(AedError, match=r"the server refuses: expected 200 OK, got 404 .*--url"):
        fetch(server, tmp_path / "file")
    assert len(server.asked) == 1


def test_another_file_is_refused_and_deleted(server: Server, tmp_path: Path) -> None:
    with pytest.raises(AedError, match=r"not the file that was expected: expected sha256 0{16}…, got "):
        fetch(server, tmp_path / "file", "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_told(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(AedError, match=r"the download did not begin: .*Check the network"):
            download(url, tmp_path / "file", pause_s=0.0)


def test_only_the_web_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    with pytest.raises(AedError, match="not an address: expected http:// or https://, got file"):
        download(f"file://{tmp_path}/secret", tmp_path / "file", pause_s=0.0)


def test_a_full_disk_is_told_and_not_tried_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def on_full_disk(self: Path, mode: str = "r", **_: object) -> object:
        return real(Path("/dev/full"), "wb", buffering=0) if self.suffix == ".part" else real(self, mode)

    monkeypatch.setattr(Path, "open", on_full_disk)
    with pytest.raises(AedError, match="the disk is full"):
        fetch(server, tmp_path / "file")
    assert len(server.asked) == 1
