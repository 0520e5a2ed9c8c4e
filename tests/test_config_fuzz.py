"""Whatever is in the file or in the environment, a Config or a ConfigError comes out, with a place."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aed_daemon.config import Config
from aed_daemon.config_faults import ManyFaultsError
from aed_daemon.config_file import load_config
from aed_daemon.config_schema import keys_of, sections
from aed_daemon.errors import ConfigError

EXAMPLE = """\
node = "hall"
[[source]]
name = "porch"
type = "microphone"
device = "USB"
channel = 1
[[source]]
name = "gate"
type = "command"
command = ["ffmpeg", "-i", "rtsp://camera", "-f", "s16le", "-"]
[detection]
hop_frames = 24
defaults = { threshold_on = 0.7, mode = "confirm" }
[detection.classes.dog]
enabled = false
[mqtt]
enabled = true
host = "hub"
username = "aed"
password_file = "password"
[mqtt.tls]
enabled = true
"""

NAMES = sorted(
    {name for _, model in sections() for name in keys_of(model)} | {"NAME", "0", "dog", "Ω", '"a b"'}
)
VALUES = ["1", "-1", "0.5", "1e400", "nan", "true", '""', '"x"', '"\\u0000"', "[]", "[[1]]", "{}", "{a=1}"]
VALUES += ["1979-05-27", "07:32:00", "0x" + "f" * 40, '"command"', '"file"', '"5"', '["a"]', "{str = 1}"]
LINES = [f"{name} = {value}" for name in NAMES for value in VALUES]
LINES += [f"[{name}]" for name in NAMES] + [f"[[{name}]]" for name in NAMES]
LINES += [f"[{path}]" for path in ("detection.classes.NAME", "detection.gate", "mqtt.tls", "source.x")]

keep_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(folder: Path, content: bytes, env: dict[str, str]) -> None:
    path = folder / "aed.toml"
    path.write_bytes(content)
    try:
        config = load_config(path, env)
    except ConfigError as error:
        faults = error.faults if isinstance(error, ManyFaultsError) else [error]
        for fault in faults:
            assert fault.where is not None
            assert fault.where.startswith((str(path), "environment variable "))
            assert "\n" not in str(fault)
            str(fault).encode()
    else:
        assert isinstance(config, Config)


@keep_folder
@given(content=st.binary() | st.text().map(str.encode))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    check(tmp_path, content, {})


@keep_folder
@given(lines=st.lists(st.sampled_from(LINES) | st.sampled_from(EXAMPLE.splitlines()), max_size=15))
def test_any_lines(tmp_path: Path, lines: list[str]) -> None:
    check(tmp_path, "\n".join(lines).encode(), {})


@keep_folder
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(EXAMPLE.splitlines()) - 1),
            st.sampled_from(["drop", "replace", "insert", "value"]),
            st.sampled_from(LINES),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_valid_configuration_changed(tmp_path: Path, edits: list[tuple[int, str, str]]) -> None:
    lines = EXAMPLE.splitlines()
    for at, kind, line in edits:
        old = lines[at]
        if kind == "value" and "=" in old and "=" in line:
            lines[at] = old.split("=")[0] + "=" + line.split("=", 1)[1]
        else:
            lines[at] = {"drop": "", "replace": line, "insert": f"{old}\n{line}"}.get(kind, old)
    check(tmp_path, "\n".join(lines).encode(), {})


@keep_folder
@given(
    env=st.dictionaries(
        st.lists(
            st.sampled_from([name.upper() for name in NAMES])
            | st.sampled_from(["1", "", "X", "99999999999999"]),
            max_size=5,
        ).map(lambda parts: "AED__" + "__".join(parts)),
        st.sampled_from(VALUES) | st.text() | st.just("\udcff"),
        max_size=3,
    )
)
def test_any_environment(tmp_path: Path, env: dict[str, str]) -> None:
    check(tmp_path, EXAMPLE.encode(), env)


def test_the_example_is_valid_before_it_is_changed(tmp_path: Path) -> None:
    tomllib.loads(EXAMPLE)
    (tmp_path / "aed.toml").write_text(EXAMPLE)
    assert load_config(tmp_path / "aed.toml", {}).node == "hall"


def test_the_check_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Config:
        raise KeyError("a bug")

    monkeypatch.setattr(Config, "model_validate", broken)
    with pytest.raises(KeyError):
        check(tmp_path, EXAMPLE.encode(), {})
