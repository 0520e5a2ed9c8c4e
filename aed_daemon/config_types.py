"""Kinds of values in the configuration, and the faults and origins that `config_file` reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
)

KeyPath = tuple[str | int, ...]
"""Where a key is: names of tables and keys, positions in arrays (from 0)."""

FOLDER = "folder"
"""Name in the validation context of the folder that relative paths start from."""


class MisfitError(ValueError):
    """Values that are valid by themselves and contradict each other.

    Parameters
    ----------
    *faults : (KeyPath, str)
        For each contradiction the key to point at, from the section whose validator raises this,
        and what is wrong.
    """

    def __init__(self, *faults: tuple[KeyPath, str]) -> None:
        self.faults = faults
        super().__init__("; ".join(text for _, text in faults))


class Origins:
    """Where each key was set: a file and line, or an environment variable.

    All instances are equal, since where a value was set is no part of the value: two configurations
    that say the same compare equal.
    """

    def __init__(self, places: Mapping[KeyPath, str] | None = None) -> None:
        self.places = dict(places or {})

    def of(self, path: KeyPath) -> str | None:
        """Return where the key, or else the innermost table around it, was set."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origins)

    def __hash__(self) -> int:
        return 0


def _topic_part(text: Any) -> Any:
    if isinstance(text, str) and re.search(r"[+#/\x00-\x1f]", text):
        raise ValueError("must not hold +, #, / or control characters (it becomes part of an MQTT topic)")
    if isinstance(text, str) and text.startswith("$"):
        raise ValueError("must not begin with $ (such MQTT topics are the broker's own)")
    if isinstance(text, str) and text != text.strip():
        raise ValueError("must not begin or end with white space")
    return text


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold a NUL character")
    return text


def _host(text: str) -> str:
    if "://" in text or re.search(r"[\s/\x00]", text):
        raise ValueError("must be a host name or an address alone, without scheme, port or path")
    return text


def _path(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str):
        if not value or "\x00" in value:
            raise ValueError("must be the path of a file")
        if value.startswith("~"):
            raise ValueError("must be a whole path: ~ is not expanded")
        folder = (info.context or {}).get(FOLDER)
        return Path(folder, value) if folder is not None else Path(value)
    return value


TopicPart = Annotated[str, BeforeValidator(_topic_part), StringConstraints(min_length=1, max_length=64)]
Text = Annotated[str, AfterValidator(_no_nul)]
Host = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_host)]
FilePath = Annotated[Path, BeforeValidator(_path), Field(strict=False)]


class Section(BaseModel):
    """A table of the configuration: no unknown keys, no conversions between types, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
