"""The locator of TOML keys, against tomllib (which keys) and against a writer that counts lines (where)."""

from __future__ import annotations

import json
import tomllib
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aed_daemon.config_types import KeyPath
from aed_daemon.toml_lines import key_lines


def paths_in(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value)
    found: set[KeyPath] = set()
    for name, child in inner:
        found.add((*path, name))
        if isinstance(child, dict | list):
            found |= paths_in(child, (*path, name))
    return found


DOCUMENT = """\
# a comment = 1
title = "x # no comment"

[mqtt] # [no.table]
host = 'a"b'
"port" = 1
tls.enabled = true
tls . "ca file" = '''
[not.a.table]
key = 1
''''
text = \"\"\"
\\\"\"\" = 2 ]] }}
\"\"\"\"\"
after = 1979-05-27 07:32:00 # a date with a space

[[source]]
name = "one"
command = [
    "a", # first ]
    # between
    ["b", { deep = [1,
      2] }],
]
[source.sub]
x = { y.z = 1, "q" = [{}, {a = 'b}'}] }
[[source]]
name = "two"
[[source.inner]]
[[source.inner]]
k = 1
[a.b.c]
d = 1
"""

LINES: dict[KeyPath, int] = {
    ("title",): 2,
    ("mqtt",): 4,
    ("mqtt", "host"): 5,
    ("mqtt", "port"): 6,
    ("mqtt", "tls"): 7,
    ("mqtt", "tls", "enabled"): 7,
    ("mqtt", "tls", "ca file"): 8,
    ("mqtt", "text"): 12,
    ("mqtt", "after"): 15,
    ("source",): 17,
    ("source", 0): 17,
    ("source", 0, "name"): 18,
    ("source", 0, "command"): 19,
    ("source", 0, "command", 0): 20,
    ("source", 0, "command", 1): 22,
    ("source", 0, "command", 1, 1, "deep"): 22,
    ("source", 0, "command", 1, 1, "deep", 1): 23,
    ("source", 0, "sub"): 25,
    ("source", 0, "sub", "x", "y", "z"): 26,
    ("source", 0, "sub", "x", "q", 1, "a"): 26,
    ("source", 1): 27,
    ("source", 1, "name"): 28,
    ("source", 1, "inner", 0): 29,
    ("source", 1, "inner", 1, "k"): 31,
    ("a", "b"): 32,
    ("a", "b", "c", "d"): 33,
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_document_with_everything(line_end: str) -> None:
    text = DOCUMENT.replace("\n", line_end)
    lines = key_lines(text)
    assert set(lines) == paths_in(tomllib.loads(text))
    assert {path: lines[path] for path in LINES} == LINES


TOKENS = ["a", "b", '"c d"', "'e'", ".", "=", " = ", "[", "]", "[[", "]]", "{", "}", ",", "\n", "\r\n", "1"]
TOKENS += [
    "# x\n",
    '"""',
    "'''",
    '"',
    "'",
    "\\",
    "true",
    " ",
    "\t",
    "1.5",
    "07:32:00",
    "\na = ",
    "\n[a",
    "]\n",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))
def test_finds_what_tomllib_finds(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except ValueError:
        return
    assert set(key_lines(text)) == paths_in(data)


class Writer:
    """Writes a random document key by key and notes the line of each."""

    def __init__(self, seed: int) -> None:
        self.random, self.text, self.lines = Random(seed), "", dict[KeyPath, int]()

    @property
    def line(self) -> int:
        return self.text.count("\n") + 1

    def note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.line)

    def name(self, taken: set[str]) -> str:
        name = "".join(self.random.choices("abc -_.\"'#=]\\", k=self.random.randrange(4)))
        while name in taken:
            name += "a"
        taken.add(name)
        return name

    def quoted(self, name: str) -> str:
        if name and all(character in "abc-_" for character in name) and self.random.random() < 0.5:
            return name
        if "'" not in name and self.random.random() < 0.5:
            return f"'{name}'"
        return json.dumps(name)

    def space(self, lines: bool) -> None:
        self.text += self.random.choice(["", " ", "\t"] + (["\n", "# ]}\n", "\n\n"] if lines else []))

    def value(self, path: KeyPath, depth: int) -> None:
        kind = self.random.choice(["plain", "long", "array", "table"] if depth else ["plain", "long"])
        if kind == "plain":
            values = ["1", "-2.5e3", "true", '"a\\"]b"', "'#'", "1979-05-27 07:32:00", "0xff", "inf", '""']
            self.text += self.random.choice(values)
        elif kind == "long":
            quotes = self.random.choice(['"""', "'''"])
            inside = self.random.choices(["\n", "[a]", "b = 1", '"', "'", "# "], k=self.random.randrange(6))
            text = "".join(inside).replace(quotes, "").rstrip(quotes[0])
            self.text += quotes + text.replace(quotes, "") + quotes
        elif kind == "array":
            self.text += "["
            for position in range(self.random.randrange(4)):
                self.space(lines=True)
                self.note((*path, position))
                self.value((*path, position), depth - 1)
                self.space(lines=True)
                self.text += ","
            self.space(lines=True)
            self.text += "]"
        else:
            self.text += "{"
            taken: set[str] = set()
            for number in range(self.random.randrange(4)):
                self.text += ", " if number else " "
                self.pair(path, taken, depth - 1)
            self.text += "}"

    def pair(self, table: KeyPath, taken: set[str], depth: int) -> None:
        path = (*table, self.name(taken))
        self.note(path)
        self.text += self.quoted(str(path[-1]))
        while self.random.random() < 0.25:
            path = (*path, self.name(set()))
            self.note(path)
            self.text += f" . {self.quoted(str(path[-1]))}"
        self.space(lines=False)
        self.text += "="
        self.space(lines=False)
        self.value(path, depth)


def document(seed: int) -> tuple[str, dict[KeyPath, int]]:
    writer = Writer(seed)
    taken: set[str] = set()
    for _ in range(writer.random.randrange(4)):
        writer.pair((), taken, 3)
        writer.text += "\n"
    for _ in range(writer.random.randrange(4)):
        writer.space(lines=True)
        outer = (writer.name(taken),)
        array = writer.random.random() < 0.5
        for position in range(writer.random.randint(1, 3) if array else 1):
            path: KeyPath = (*outer, position) if array else outer
            writer.note(outer)
            writer.note(path)
            writer.text += ("[[{}]]" if array else "[{}]").format(writer.quoted(str(outer[0])))
            writer.space(lines=True)
            writer.text += "\n"
            inner: set[str] = set()
            for _ in range(writer.random.randrange(4)):
                writer.pair(path, inner, 2)
                writer.text += "\n"
    return writer.text, writer.lines


@settings(deadline=None)
@given(st.integers(min_value=0))
def test_every_line_is_the_one_it_was_written_on(seed: int) -> None:
    text, lines = document(seed)
    tomllib.loads(text)  # the writer writes TOML
    assert key_lines(text) == lines


def test_very_deep_nesting_is_refused() -> None:
    with pytest.raises(ValueError, match="deep"):
        key_lines(".".join(["a"] * 65) + " = 1")
