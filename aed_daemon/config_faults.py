"""From pydantic's errors to sentences: place, path of the key, expected, got, and what to do."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aed_daemon.config_schema import key_at, keys_of, kind_of, section_at, sections
from aed_daemon.config_types import KeyPath, MisfitError, Origins, Section
from aed_daemon.errors import ConfigError

_FREE_NAME = "[key]"  # pydantic's mark of an error in a mapping's key


class ManyFaultsError(ConfigError):
    """Several faults of one configuration; its text has a line for each.

    Attributes
    ----------
    faults : tuple of ConfigError
        All of them, in the order of the file where they have a line.
    """

    def __init__(self, faults: Sequence[ConfigError]) -> None:
        self.faults = tuple(faults)
        first = self.faults[0]
        super().__init__(
            first.what, where=first.where, expected=first.expected, got=first.got, hint=first.hint
        )

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


def joined(faults: Sequence[ConfigError]) -> ConfigError:
    """Return one error for one or more faults, in the order of their lines."""
    ordered = sorted(faults, key=_line)
    return ordered[0] if len(ordered) == 1 else ManyFaultsError(ordered)


def _line(fault: ConfigError) -> int:
    found = re.search(r":(\d+)$", fault.where or "")
    return int(found[1]) if found else 0


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: `source.0.device`."""
    return ".".join(
        part if isinstance(part, str) and re.fullmatch(r"[\w-]+", part) else shown(part) for part in path
    )


def shown(value: Any) -> str:
    """Return a value as TOML would write it, shortened, on one line, and safe to print anywhere."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "an integer of more than 20 digits"
    if isinstance(value, dt.date | dt.time):
        return f"the date or time {value.isoformat()}"
    if not isinstance(value, str | bool | int | float):
        return f"a {type(value).__name__}"
    if isinstance(value, str) and len(value) > 60:
        value = f"{value[:59]}…"
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "Did you mean 'x'? " for the nearest of the known names, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'? " if near else ""


def faults_of(error: ValidationError, data: dict[str, Any], origins: Origins) -> list[ConfigError]:
    """Return each fault that a validation found, with its place.

    Parameters
    ----------
    error : ValidationError
        Of `Config`.
    data : dict
        The document that was validated.
    origins : Origins
        Where its keys were set.
    """
    faults: dict[str, ConfigError] = {}
    for details in error.errors(include_url=False):
        path = _path(details, data)
        for fault in _translate(details, path, data, origins):
            faults.setdefault(fault.what, fault)  # a union says once per member that nothing fits
    return list(faults.values())


def _path(details: ErrorDetails, data: Any) -> KeyPath:
    """Return an error's path without pydantic's own marks: a union's tag or member, [key]."""
    loc = list(details["loc"])
    if len(loc) > 2 and loc[0] == "source":
        del loc[2]  # the kind of source
    path: KeyPath = ()
    for part in loc:
        inside = (
            part < len(data)
            if isinstance(data, list) and isinstance(part, int)
            else (isinstance(data, dict) and part in data)
        )
        if not inside:
            return (*path, part) if details["type"] == "missing" else path
        data = data[part]
        path = (*path, part)
    return path


def _translate(details: ErrorDetails, path: KeyPath, data: Any, origins: Origins) -> Iterable[ConfigError]:
    name, kind = dotted(path), details["type"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        yield _no_kind(details, (*path, "type"), origins)
    elif kind == "missing":
        key = key_at(path, data)
        hint = "Add [[source]] with a name and a type." if path == ("source",) else key and key.description
        yield ConfigError(
            f"{name} is missing",
            where=origins.of(path),
            expected=key.takes if key else None,
            hint=hint or None,
        )
    elif kind == "extra_forbidden":
        yield ConfigError(f"unknown key {name}", where=origins.of(path), hint=_where_it_belongs(path, data))
    elif kind == "value_error":
        problem = (details.get("ctx") or {}).get("error")
        if isinstance(problem, MisfitError):
            for inner, text in problem.faults:
                full = (*path, *inner)
                yield ConfigError(f"{dotted(full)}: {text}", where=origins.of(full))
        else:
            yield ConfigError(f"{name} {problem}", where=origins.of(path), got=shown(details["input"]))
    elif details["loc"][-1] == _FREE_NAME:
        yield ConfigError(
            f"{name}: not the name of a class",
            where=origins.of(path),
            expected="a lower-case letter, then at most 62 of a-z, 0-9 and _",
        )
    else:
        yield _unfit(details, path, data, origins)


def _no_kind(details: ErrorDetails, path: KeyPath, origins: Origins) -> ConfigError:
    kinds = [kind for kind in (kind_of(model) for _, model in sections()) if kind]
    table = details["input"]
    given = table.get("type") if isinstance(table, dict) else None
    return ConfigError(
        f"{dotted(path)} is missing" if given is None else dotted(path),
        where=origins.of(path),
        expected=f"one of {', '.join(kinds)}",
        got=None if given is None else shown(given),
        hint=did_you_mean(given, kinds).strip() or None if isinstance(given, str) else None,
    )


def _unfit(details: ErrorDetails, path: KeyPath, data: Any, origins: Origins) -> ConfigError:
    """Return the fault of a value of the wrong type, or out of range."""
    length = len(path)
    while length and key_at(path[:length], data) is None:
        length -= 1
    key = key_at(path[:length], data)
    hint = None
    if key is not None and key.takes == "array of tables":
        hint = f"Write [[{key.name}]], with two brackets, for each."
    elif key is not None:
        hint = key.description
    expected = key.takes if key is not None else "a table"
    if length < len(path):
        expected = expected.removeprefix("array, each: ")
    return ConfigError(
        dotted(path) or "the configuration",
        where=origins.of(path),
        expected=expected,
        got=shown(details["input"]),
        hint=hint,
    )


def _where_it_belongs(path: KeyPath, data: Any) -> str:
    name = str(path[-1])
    section = section_at(path[:-1], data)
    known = list(keys_of(section)) if section is not None else []
    near = did_you_mean(name, known)
    if near:
        return near.strip()
    homes = list(dict.fromkeys(_home(home, model) for home, model in sections() if name in keys_of(model)))
    if homes:
        return f"It belongs in {' or '.join(homes)}."
    return f"Known here: {', '.join(known)}."


def _home(path: KeyPath, model: type[Section]) -> str:
    """Return how the table at a path is opened in a file."""
    if not path:
        return "the top of the file"
    if path[-1] == 0:
        return f'a [[{dotted(path[:-1])}]] of type "{kind_of(model)}"'
    return f"[{dotted(path)}]"
