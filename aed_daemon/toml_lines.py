"""Where the keys of a TOML document stand: tomllib gives values without lines, error messages need both."""

from __future__ import annotations

import re
import tomllib

from aed_daemon.config_types import KeyPath

_MAX_DEPTH = 64
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = re.compile(
    r"'''(?:(?!''')[^\x00])*?'{3,5}|"
    r'"""(?:\\[^\x00]|(?!""")[^\\\x00])*?"{3,5}|'
    r"'[^'\n]*'|"
    r'"(?:\\.|[^"\\\n])*"'
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, of every key, table and array element of a TOML document.

    Parameters
    ----------
    text : str
        A document that `tomllib.loads` accepts; anything else gives an arbitrary mapping or an error.

    Raises
    ------
    ValueError
        If keys are nested over 64 deep, or the text is no TOML.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    """One pass over a document that is known to be valid, so that structure is all that matters."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.sizes: dict[KeyPath, int] = {}  # tables so far in each array of tables
        self.counted, self.line = 0, 1

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self.blank()
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.blank()
        return self.lines

    def blank(self) -> None:
        """Skip white space, line ends and comments."""
        self.take(_BLANK)

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"not valid TOML at character {self.at}")
        self.at = match.end()
        return match.group()

    def skip(self, token: str) -> bool:
        found = self.text.startswith(token, self.at)
        if found:
            self.at += len(token)
        return found

    def note(self, path: KeyPath) -> None:
        """Record the present line for a path, unless an earlier one is known."""
        if len(path) > _MAX_DEPTH:
            raise ValueError(f"keys nested over {_MAX_DEPTH} deep")
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        self.lines.setdefault(path, self.line)

    def header(self) -> KeyPath:
        array = self.skip("[[")
        if not array:
            self.skip("[")
        path: KeyPath = ()
        names = self.dotted_key()
        for number, name in enumerate(names):
            path = (*path, name)
            self.note(path)
            if array and number == len(names) - 1:
                self.sizes[path] = self.sizes.get(path, 0) + 1
            if path in self.sizes:
                path = (*path, self.sizes[path] - 1)
                self.note(path)
        self.blank()
        self.skip("]]" if array else "]")
        return path

    def dotted_key(self) -> list[str]:
        names = []
        while True:
            self.blank()
            if self.text.startswith(("'", '"'), self.at):
                names.append(_decoded(self.take(_STRINGS)))
            else:
                names.append(self.take(_BARE))
            self.blank()
            if not self.skip("."):
                return names

    def pair(self, table: KeyPath) -> None:
        path = table
        for name in self.dotted_key():
            path = (*path, name)
            self.note(path)
        self.skip("=")
        self.blank()
        self.value(path)

    def value(self, path: KeyPath) -> None:
        if self.skip("["):
            position = 0
            self.blank()
            while not self.skip("]"):
                self.note((*path, position))
                self.value((*path, position))
                position += 1
                self.separator()
        elif self.skip("{"):
            self.blank()
            while not self.skip("}"):
                self.pair(path)
                self.separator()
        elif self.text.startswith(("'", '"'), self.at):
            self.take(_STRINGS)
        else:
            self.take(_SCALAR)

    def separator(self) -> None:
        self.blank()
        self.skip(",")
        self.blank()


def _decoded(quoted: str) -> str:
    """Return the text of a quoted key."""
    text = tomllib.loads(f"key = {quoted}")["key"]
    return str(text)
