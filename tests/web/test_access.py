"""Access: tokens, cookies, host names and origins."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from aed_daemon.errors import ConfigError
from aed_daemon.web.access import COOKIE, Access, is_foreign, load_token

TOKEN = "0123456789abcdef"  # noqa: S105 # nobody's


def test_a_token_is_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\nanother line\n")
    assert load_token(tmp_path / "token") == TOKEN


@pytest.mark.parametrize(
    "text", ["", "\n0123456789abcdef", "short", "0123456789 abcdef", "tökentökentökentökn"]
)
def test_what_is_no_token_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="openssl rand"):
        load_token(tmp_path / "token")
    with pytest.raises(ConfigError, match="cannot read"):
        load_token(tmp_path / "none")


def test_the_token_opens_and_nothing_else_does() -> None:
    access = Access(TOKEN)
    assert access.admits(f"Bearer {TOKEN}", None)
    assert access.admits(f"bearer  {TOKEN}", None)
    assert access.admits(None, f"a=b; {COOKIE}={access.session}")
    for header in (None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}0", "Bearer tökèn", "Bearer"):
        assert not access.admits(header, None)
    for cookie in ("", f"{COOKIE}=", f"{COOKIE}={TOKEN}", f"{COOKIE}={access.session}0", "=;=;\x00"):
        assert not access.admits(None, cookie)
    assert not Access("another token 0123").admits(None, f"{COOKIE}={access.session}")


def test_without_a_token_everyone_on_this_machine_may_enter() -> None:
    access = Access(None)
    assert access.admits(None, None)
    assert not access.may_enter("")


def test_names_that_can_be_rebound_are_refused() -> None:
    here, guarded = Access(None, ["sounds.example.org"]), Access(TOKEN)
    for host in ("localhost:8770", "127.0.0.1:8770", "[::1]:8770", "LOCALHOST", "sounds.example.org:443"):
        assert here.knows(host), host
    for host in ("", "evil.example", "127.0.0.1.evil.example:8770", "192.168.1.7:8770", "[::1].evil.example"):
        assert not here.knows(host), host
    for host in ("192.168.1.7:8770", f"{socket.gethostname()}.local:8770"):
        assert guarded.knows(host), host
    assert not guarded.knows("evil.example")


@pytest.mark.parametrize(
    ("origin", "site", "mode", "foreign"),
    [
        (None, None, None, False),
        ("http://127.0.0.1:8770", "same-origin", "cors", False),
        (None, "none", "navigate", False),
        (None, "cross-site", "navigate", False),
        ("http://127.0.0.1:8771", "same-site", "cors", True),
        ("http://evil.example", None, None, True),
        ("null", None, None, True),
        ("", None, None, True),
        (None, "cross-site", "no-cors", True),
        (None, "same-site", "no-cors", True),
    ],
)
def test_foreign_pages(origin: str | None, site: str | None, mode: str | None, foreign: bool) -> None:
    assert is_foreign("127.0.0.1:8770", origin, site, mode) is foreign
