"""Environment overrides: AED__MQTT__HOST=broker sets mqtt.host."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aed_daemon.config_types import KeyPath
from aed_daemon.errors import ConfigError

PREFIX = "AED__"


@dataclass(frozen=True)
class Override:
    """One environment variable that sets a key.

    Attributes
    ----------
    variable : str
        Its name.
    parts : tuple of str
        The key's path, in lower case; positions in arrays are still digits.
    raw : str
        Its text.
    """

    variable: str
    parts: tuple[str, ...]
    raw: str

    @property
    def where(self) -> str:
        """How an error names it."""
        return f"environment variable {self.variable}"

    @property
    def value(self) -> Any:
        """The text as a TOML value where it is one, else as it stands."""
        try:
            document = tomllib.loads(f"value = {self.raw}")
        except (ValueError, RecursionError):
            return self.raw
        return document["value"] if set(document) == {"value"} else self.raw


def overrides(env: Mapping[str, str]) -> tuple[list[Override], list[ConfigError]]:
    """Return the overrides of an environment, outer tables and lower positions first, and what is wrong."""
    found: dict[tuple[str, ...], Override] = {}
    faults = []
    for variable in sorted(env):
        if not variable.upper().startswith(PREFIX):
            continue
        override = Override(variable, tuple(variable[len(PREFIX) :].lower().split("__")), env[variable])
        if not all(override.parts) or len(override.parts) > 8:
            hint = "Write AED__, then the key's path joined by two underscores: AED__MQTT__HOST."
            faults.append(ConfigError("names no key", where=override.where, hint=hint))
        elif override.parts in found:
            other = found[override.parts].variable
            faults.append(
                ConfigError(f"sets the same key as {other}", where=override.where, hint="Keep one.")
            )
        else:
            found[override.parts] = override
    return sorted(found.values(), key=lambda override: (len(override.parts), *_order(override))), faults


def _order(override: Override) -> tuple[tuple[int, str], ...]:
    return tuple((int(part) if _is_position(part) else 0, part) for part in override.parts)


def _is_position(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) < 10


def apply(data: dict[str, Any], override: Override, value: Any) -> KeyPath:
    """Set one key in a parsed document, in place; tables and array elements that miss are made.

    Returns
    -------
    KeyPath
        The key's path.

    Raises
    ------
    ConfigError
        If the path leads through a plain value or beyond the end of an array.
    """
    node: Any = data
    path: KeyPath = ()
    last = len(override.parts) - 1
    for number, part in enumerate(override.parts):
        following = override.parts[number + 1] if number < last else ""
        fresh: Any = value if number == last else [] if _is_position(following) else {}
        if isinstance(node, list):
            name: str | int = _position(part, node, path, override)
            if name == len(node):
                node.append(fresh)
        elif isinstance(node, dict):
            name = part
            node.setdefault(name, fresh)
        else:
            raise ConfigError(f"{_dotted(path)} is no table", where=override.where)
        path = (*path, name)
        if number == last:
            node[name] = value
        else:
            node = node[name]
    return path


def _position(part: str, node: list[Any], path: KeyPath, override: Override) -> int:
    if not _is_position(part) or int(part) > len(node):
        raise ConfigError(
            f"{_dotted(path)} is an array",
            where=override.where,
            expected=f"a position from 0 to {len(node)} after it",
            got=part,
        )
    return int(part)


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)
