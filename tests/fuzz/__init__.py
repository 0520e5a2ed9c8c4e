"""Seeded inputs for every parser, and what each of them must do with any of them.

A case is a number: the same number is the same input on every machine. It returns whether the input was
accepted; where it raises, there is a defect: nothing but an AedError with a place may leave a parser, and the
case swallows those.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Protocol

from aed_daemon.errors import AedError


class Case(Protocol):
    """One parser's cases."""

    def __call__(self, seed: int, folder: Path) -> bool:
        """Try input `seed`; `folder` is for its files."""


def clean(error: AedError) -> None:
    """Check that a refusal can be read: a sentence, a place, one line, and characters that can be printed."""
    assert error.what, error
    assert error.where, error
    assert "\n" not in str(error), error
    str(error).encode()


NUMBERS = (0, 1, 2, 3, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged(rng: random.Random, data: bytes, places: range | None = None) -> bytes:
    """Return bytes with a few of them changed, left out, doubled or cut off, mostly among `places`."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not changed:
            break
        at = rng.choice(places) if places and rng.random() < 0.7 else rng.randrange(len(changed))
        at = min(at, len(changed) - 1)
        match rng.randrange(8):
            case 0 | 1 | 2:
                changed[at] = rng.randrange(256)
            case 3 | 4:
                number = rng.choice((*NUMBERS, rng.getrandbits(32)))
                changed[at : at + 4] = number.to_bytes(4, "little")[: len(changed) - at]
            case 5:
                size = rng.randrange(1, 64)
                other = rng.randrange(len(changed))
                changed[at:at] = changed[other : other + size]
            case 6:
                del changed[at : at + rng.randrange(1, 64)]
            case _:
                if rng.random() < 0.3:
                    del changed[at:]
    return bytes(changed)
