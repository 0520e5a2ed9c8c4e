"""Configurations: a whole one with lines changed, lines in any order, bytes, and overrides."""

from __future__ import annotations

import random
from pathlib import Path

from aed_daemon.config import Config
from aed_daemon.config_faults import ManyFaultsError
from aed_daemon.config_file import load_config
from aed_daemon.config_schema import keys_of, sections
from aed_daemon.errors import ConfigError
from tests.fuzz import clean, damaged

_TEXT = (Path(__file__).parents[2] / "systemd" / "aed.toml").read_text(encoding="utf-8")
EXAMPLE = "\n".join(line for line in _TEXT.splitlines() if line and not line.startswith("# "))
_SET = [line.lstrip("#") for line in EXAMPLE.splitlines() if "=" in line or line.lstrip("#").startswith("[")]
"""Every line of the example that sets a key or opens a table, whether it is commented out or not."""

_NAMES = sorted(
    {name for _, model in sections() for name in keys_of(model)} | {"0", "dog", "Ω", '"a b"', "NAME"}
)
_VALUES: tuple[str, ...] = (
    "1",
    "-1",
    "0",
    "0.5",
    "1e400",
    "nan",
    "-inf",
    "true",
    '""',
    '"x"',
    '"\\u0000"',
    '"\\uFFFF"',
    "[]",
)
_VALUES += (
    "[[1]]",
    "{}",
    "{a=1}",
    "1979-05-27",
    "07:32:00",
    "0x" + "f" * 40,
    '"command"',
    '"file"',
    '"../x"',
)
_VALUES += (
    '["a"]',
    "{str = 1}",
    '"' + "é" * 300 + '"',
    "[" * 200,
    "'''\n'''",
    '"+/#"',
    "1_0",
    "0o7",
    "9" * 5_000,
)


def _line(rng: random.Random) -> str:
    name = rng.choice(_NAMES)
    match rng.randrange(8):
        case 0:
            return f"[{name}]"
        case 1:
            return f"[[{name}]]"
        case 2:
            return f"[{'.'.join(rng.choices(_NAMES, k=rng.randrange(1, 4)))}]"
        case 3 | 4:
            return rng.choice(_SET)
        case _:
            return f"{name} = {rng.choice(_VALUES)}"


def _edited(rng: random.Random) -> str:
    lines = EXAMPLE.splitlines()
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(lines))
        new = _line(rng)
        match rng.randrange(5):
            case 0:
                lines[at] = lines[at].lstrip("#")
            case 1:
                lines[at] = new
            case 2:
                lines.insert(at, new)
            case 3:
                lines[at] = f"{lines[at].split('=')[0].lstrip('#')}= {rng.choice(_VALUES)}"
            case _:
                del lines[at]
    return "\n".join(lines)


def _environment(rng: random.Random) -> dict[str, str]:
    names = [name.upper() for name in _NAMES if name.isascii()] + ["1", "", "X", "99999999999999"]
    return {
        "AED__" + "__".join(rng.choices(names, k=rng.randrange(5))): rng.choice(
            (*_VALUES, "", "\udcff", "a\nb")
        )
        for _ in range(rng.randrange(1, 4))
    }


def case(seed: int, folder: Path) -> bool:
    """Load configuration `seed`."""
    rng = random.Random(seed)
    env: dict[str, str] = {}
    match rng.randrange(10):
        case 0:
            content = rng.randbytes(rng.randrange(200))
        case 1:
            content = damaged(rng, EXAMPLE.encode())
        case 2 | 3 | 4:
            content = "\n".join(_line(rng) for _ in range(rng.randrange(15))).encode()
        case 5:
            content, env = EXAMPLE.encode(), _environment(rng)
        case _:
            content = _edited(rng).encode()
    path = folder / "aed.toml"
    path.write_bytes(content)
    try:
        config = load_config(path, env)
    except ConfigError as error:
        for fault in error.faults if isinstance(error, ManyFaultsError) else [error]:
            clean(fault)
            assert str(fault.where).startswith((str(path), "environment variable ")), fault
        return False
    assert isinstance(config, Config)
    return True
