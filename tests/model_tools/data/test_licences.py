from __future__ import annotations

import pytest

from model_tools.data.licences import UNKNOWN, is_free, licence_of, redistributable, spdx, stanzas

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: game

Files: *
Copyright: 2010, Somebody
License: GPL-2+

Files: data/music/*
       data/menu.ogg
Copyright: 2011, Somebody else
License: CC-BY-SA-3.0
 Text of the licence.
 .
 More of it.

Files: data/music/battle?.ogg
Copyright: 2011, A third
License: CC-BY-NC-3.0

Files: debian/*
Copyright: 2012, A packager
License: Apache-2.0

License: GPL-2+
 This program is free software.
"""


@pytest.mark.parametrize(
    ("path", "licence"),
    [
        ("usr/share/games/game/sounds/step.wav", "GPL-2+"),
        ("usr/share/games/game/music/calm.ogg", "CC-BY-SA-3.0"),
        ("usr/share/game/data/music/calm.ogg", "CC-BY-SA-3.0"),
        ("usr/share/game/data/menu.ogg", "CC-BY-SA-3.0"),
        ("usr/share/games/game/music/battle1.ogg", "CC-BY-NC-3.0"),
        ("usr/share/games/game/menu.ogg", "GPL-2+"),
        ("usr/share/debian/x.ogg", "GPL-2+"),
    ],
)
def test_the_last_paragraph_that_names_a_file_counts(path: str, licence: str) -> None:
    assert licence_of(path, stanzas(COPYRIGHT)) == licence


def test_free_text_says_nothing_that_a_program_may_rely_on() -> None:
    text = "This package was debianized by somebody.\n\nFiles: *\nLicense: GPL-2\n"
    assert stanzas(text) == []
    assert licence_of("usr/share/a.ogg", []) == UNKNOWN


@pytest.mark.parametrize(
    "licence",
    [
        *(
            "GPL-2",
            "GPL-2.0-only",
            "GPL-3+",
            "LGPL-2.1 or MPL",
            "CC0",
            "CC0-1.0",
            "CC-BY-3.0",
            "CC-BY-SA-4.0",
        ),
        *("public-domain", "public domain", "Expat", "MIT", "GFDL-1.3", "BSD-style", "Artistic-1.0", "zlib"),
        *("GPL-3+ or CC-BY-NC-3.0", "GPL-2+ and CC-BY-SA-3.0", "GPL-3+-with-autoconf-exception"),
    ],
)
def test_free(licence: str) -> None:
    assert is_free(licence)


@pytest.mark.parametrize(
    "licence",
    [
        *("unknown", "", "CC-BY-NC-3.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-3.0", "CC-Sampling-Plus-1.0", "other"),
        *("GPL-2+ and CC-BY-NC-3.0", "CC Sampling+", "Battle-Tanks-License", "all rights reserved"),
    ],
)
def test_not_free(licence: str) -> None:
    assert not is_free(licence)


def test_one_licence_decides_for_all() -> None:
    assert redistributable([])
    assert redistributable(["GPL-2+", "public domain"])
    assert not redistributable(["GPL-2+", "CC-BY-NC-4.0"])


@pytest.mark.parametrize(
    ("debian", "name"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-3", "GPL-3.0-only"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("GPL-2.0-or-later", "GPL-2.0-or-later"),
        ("GFDL-1.3", "GFDL-1.3-only"),
        ("CC0", "CC0-1.0"),
        ("CC-BY-SA-3", "CC-BY-SA-3.0"),
        ("Expat", "MIT"),
        ("public-domain", "public domain"),
        ("GPL-2+ or CC-BY-3.0", "GPL-2.0-or-later or CC-BY-3.0"),
        ("Something-Else", "Something-Else"),
    ],
)
def test_names_are_those_of_spdx(debian: str, name: str) -> None:
    assert spdx(debian) == name
    assert is_free(debian) == is_free(name)
