"""The page's configuration: out of reach of others unless there is a token."""

from __future__ import annotations

from pathlib import Path

import pytest

from aed_daemon.config_file import load_config
from aed_daemon.config_web import is_loopback
from aed_daemon.errors import ConfigError


def load(folder: Path, web: str) -> None:
    path = folder / "aed.toml"
    path.write_text(f'[[source]]\nname = "porch"\ntype = "demo"\n[web]\n{web}\n', encoding="utf-8")
    load_config(path, {})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "aed.local"])  # noqa: S104
def test_beyond_this_machine_a_token_is_needed(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match=rf"aed.toml:6: web.*{host}.*token_file"):
        load(tmp_path, f'enabled = true\nhost = "{host}"')
    load(tmp_path, f'enabled = true\nhost = "{host}"\ntoken_file = "token"')
    load(tmp_path, f'host = "{host}"')


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_on_this_machine_none_is(tmp_path: Path, host: str) -> None:
    load(tmp_path, f'enabled = true\nhost = "{host}"')


def test_what_is_loopback() -> None:
    assert is_loopback("[::1]")
    assert not is_loopback("localhost.example.org")
    assert not is_loopback("10.0.0.1")
