"""Licences of recordings: what Debian's copyright files say, and whether it may be passed on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

UNKNOWN = "unknown"
"""What is not stated is not permitted."""

_FREE = re.compile(
    r"""(
        (l|a)?gpl-?v?[\d.]+(\+|-only|-or-later)? | gfdl(-niv)?-[\d.]+\+?(-only|-or-later)?
        | cc0(-?1\.0)? | cc-by(-sa)?(-\d(\.\d)?)?\+? | public-?\ ?domain | wtfpl | zlib
        | mit(-x11)? | expat | x11 | isc | bsd(-\w+)* | artistic(-[\d.]+)? | apache-?[\d.]+
        | mpl(-[\d.]+)? | bsl-[\d.]+
    )([-\ ]with[-\ ].*)?""",
    re.IGNORECASE | re.VERBOSE,
)
"""Licences under which a recording, and what learnt from it, may be passed on, sold included."""


class Stanza(NamedTuple):
    """Of a machine-readable copyright file, the files of one licence."""

    patterns: tuple[str, ...]
    licence: str


def stanzas(text: str) -> list[Stanza]:
    """Return the Files paragraphs of a copyright file, in order; none where it is free text.

    Source: Debian's copyright-format 1.0, section "Files paragraph".
    """
    if not re.match(r"format(-specification)?:", text.lstrip().lower()):
        return []
    found = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, list[str]] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace():
                fields.setdefault(name, []).append(line.strip())
            elif ":" in line:
                name, _, value = line.partition(":")
                fields[name := name.strip().lower()] = [value.strip()]
        if "files" in fields and fields.get("license", [""])[0]:
            patterns = tuple(" ".join(fields["files"]).replace(",", " ").split())
            found.append(Stanza(patterns, fields["license"][0]))
    return found


def licence_of(path: str, found: Iterable[Stanza]) -> str:
    """Return the licence of an installed file: that of the last paragraph that names it, or "unknown".

    Patterns are of source paths, so their first folders may be missing or others stand before them:
    `data/music/*` names usr/share/games/x/music/a.ogg.
    """
    licence = UNKNOWN
    for stanza in found:
        if any(_names(pattern, path) for pattern in stanza.patterns):
            licence = stanza.licence
    return licence


def _names(pattern: str, path: str) -> bool:
    pattern = pattern.removeprefix("./")
    if pattern.startswith("debian/"):
        return False
    if pattern == "*" or fnmatchcase(path, pattern) or fnmatchcase(path, f"*/{pattern}"):
        return True
    parts = pattern.split("/")
    # What is left must name a folder of its own: `music/*` does, `*` would name everything.
    return any(
        not set(parts[start]) & set("*?") and fnmatchcase(path, "*/" + "/".join(parts[start:]))
        for start in range(1, len(parts) - 1)
    )


def spdx(licence: str) -> str:
    """Return Debian's short name of a licence as SPDX writes it: GPL-2+ is GPL-2.0-or-later.

    Source: SPDX licence list; Debian's copyright-format 1.0, section "Short name".
    """
    return re.sub(r"[^\s,|]+", lambda word: _spdx_of_one(word[0]), licence.strip())


def _spdx_of_one(name: str) -> str:
    if gnu := re.fullmatch(r"([AL]?GPL|GFDL(?:-NIV)?)-(\d)(\.\d)?(\+|-only|-or-later)?", name):
        tail = "-or-later" if gnu[4] in ("+", "-or-later") else "-only"
        return f"{gnu[1]}-{gnu[2]}{gnu[3] or '.0'}{tail}"
    if commons := re.fullmatch(r"(CC-BY(?:-SA)?)-(\d)(\.\d)?", name, re.IGNORECASE):
        return f"{commons[1].upper()}-{commons[2]}{commons[3] or '.0'}"
    return {"cc0": "CC0-1.0", "public-domain": "public domain", "expat": "MIT"}.get(name.lower(), name)


def is_free(licence: str) -> bool:
    """Return whether a licence permits to pass on what was learnt, for any purpose.

    Of alternatives ("A or B") one must do so, of licences together ("A and B") all. Non-commercial and
    no-derivatives licences, CC Sampling+ and what is unknown do not.
    """
    choices = re.split(r"\s+or\s+|\s*\|\s*", licence.strip())
    return any(
        all(_FREE.fullmatch(one.strip()) is not None for one in re.split(r"\s+and\s+|\s*,\s*", choice))
        for choice in choices
    )


def redistributable(licences: Iterable[str]) -> bool:
    """Return whether weights that learnt from recordings of these licences may be passed on."""
    return all(is_free(licence) for licence in licences)
