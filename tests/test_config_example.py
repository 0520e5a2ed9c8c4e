"""The example configuration: valid as it is, valid with what it comments out, complete and true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.config import Config
from aed_daemon.config_file import check_against_model, load_config
from aed_daemon.config_schema import key_at, keys_of, sections
from aed_daemon.config_types import KeyPath
from aed_daemon.manifest import DEFAULT_MODEL, load_manifest
from aed_daemon.toml_lines import key_lines

EXAMPLE = Path(__file__).parents[1] / "systemd" / "aed.toml"
OFF = re.compile(r"^#(?=\[|[a-z0-9_]+ =)", re.MULTILINE)
EITHER_OR = ("password_file", "password_credential")
NEEDS = {
    "password_file": ("username",),
    "password_credential": ("username",),
    "ca_file": ("enabled",),
    "cert_file": ("enabled", "key_file"),
    "key_file": ("enabled", "cert_file"),
}
"""Keys that make sense only with others, which stand close by."""


def load(folder: Path, text: str) -> Config:
    path = folder / "aed.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, {})


def all_on() -> str:
    """Return the example with everything that it comments out."""
    return OFF.sub("", EXAMPLE.read_text(encoding="utf-8"))


def test_it_is_valid() -> None:
    config = load_config(EXAMPLE, {})
    assert [source.type for source in config.source] == ["microphone"]
    assert config.mqtt.enabled


@pytest.mark.parametrize("without", EITHER_OR)
def test_everything_that_it_comments_out_is_valid(tmp_path: Path, without: str) -> None:
    config = load(tmp_path, re.sub(rf"^{without} = .*\n", "", all_on(), flags=re.MULTILINE))
    assert {source.type for source in config.source} == {"microphone", "command", "file", "stdin", "demo"}


def single_keys() -> list[tuple[int, str]]:
    """Return line and name of each commented-out key under a table that is not commented out."""
    found, under_open_table = [], True
    for number, line in enumerate(EXAMPLE.read_text(encoding="utf-8").splitlines()):
        if re.match(r"#?\[", line):
            under_open_table = line.startswith("[")
        if under_open_table and OFF.match(line) and not line.startswith("#["):
            found.append((number, line[1:].split(" =")[0]))
    return found


@pytest.mark.parametrize(("number", "name"), single_keys())
def test_each_key_can_be_switched_on_by_itself(tmp_path: Path, number: int, name: str) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    together = NEEDS.get(name, ())
    for near in range(max(0, number - 5), min(len(lines), number + 5)):
        if near == number or OFF.sub("", lines[near]).split(" =")[0] in together:
            lines[near] = OFF.sub("", lines[near])
    load(tmp_path, "\n".join(lines))


def test_it_names_every_key() -> None:
    named = {tuple(part for part in path if isinstance(part, str)) for path in key_lines(all_on())}
    for path, model in sections():
        if "NAME" in path:
            continue  # the same keys as in detection.defaults
        for name in keys_of(model):
            assert (path, name) == (path, "classes") or (*(part for part in path if part != 0), name) in named


def leaves(data: Any, path: KeyPath = ()) -> list[tuple[KeyPath, Any]]:
    if isinstance(data, dict):
        return [leaf for name, value in data.items() for leaf in leaves(value, (*path, name))]
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return [leaf for n, value in enumerate(data) for leaf in leaves(value, (*path, n))]
    return [(path, data)]


def test_what_it_shows_are_the_defaults() -> None:
    data = tomllib.loads(all_on())
    adapted = {("mqtt", "enabled"), ("mqtt", "host"), ("mqtt", "tls", "enabled")}
    for path, value in leaves(data):
        key = key_at(path, data)
        assert key is not None
        if key.default is not None and path not in adapted:
            assert (path, value) == (path, key.default)


@pytest.mark.skipif(not DEFAULT_MODEL.exists(), reason="the default model has not been made yet")
def test_its_classes_are_the_models(tmp_path: Path) -> None:
    text = re.sub(r"^password_file = .*\n", "", all_on(), flags=re.MULTILINE)
    check_against_model(load(tmp_path, text), load_manifest(DEFAULT_MODEL))
