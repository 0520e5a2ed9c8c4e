"""Commands as a hostile or broken subscriber sends them: seeded, so that a run can be repeated."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

REQUESTS = ("health_check", "reload", "pause", "options", "test_event", "capture_clip", "log_level")
_FIELDS = ("source", "paused", "duration_s", "level", "options", "sources", "thresholds", "transaction", "x")


class FuzzedCommand(NamedTuple):
    """A message.

    Attributes
    ----------
    topic : str
        Below prefix/node/, one that the daemon is subscribed to.
    payload : bytes
        Anything at all.
    """

    topic: str
    payload: bytes


def commands(seed: int, source: str, slugs: tuple[str, ...]) -> Iterator[FuzzedCommand]:
    """Yield commands for ever.

    Most are malformed in one way or another; some are right, and do what they say.

    Parameters
    ----------
    seed : int
        The same seed gives the same commands.
    source : str
        A source that there is.
    slugs : tuple of str
        Classes that there are.
    """
    chance = random.Random(seed)  # noqa: S311 - test data
    kinds: list[Callable[[random.Random], bytes]] = [
        _bytes, _text, _value, _object, _object, _options, _deep, _long, _broken, _number, _switch,
    ]  # fmt: skip
    while True:
        payload = chance.choice(kinds)(chance)
        topic = _topic(chance, source, slugs)
        if not (topic.startswith("bridge/request/pause") and chance.random() < 0.9):  # it closes devices
            yield FuzzedCommand(topic, payload)


def _topic(chance: random.Random, source: str, slugs: tuple[str, ...]) -> str:
    place = chance.random()
    name = source if chance.random() < 0.6 else _level(chance)
    if place < 0.6:
        return f"bridge/request/{chance.choice(REQUESTS) if chance.random() < 0.8 else _level(chance)}"
    if place < 0.98:
        return (
            f"{name}/class/{chance.choice(slugs) if chance.random() < 0.7 else _level(chance)}/threshold/set"
        )
    return f"{name}/listening/set"


def _level(chance: random.Random) -> str:
    """Return a level of a topic: no wildcard, no slash, no NUL, at least one character."""
    alphabet = "abcXYZ019_-. %$\"'\\{}[]\u00e4\u20ac\U0001f415\u202e"
    return "".join(chance.choice(alphabet) for _ in range(chance.choice([1, 2, 5, 64, 65, 200])))


def _bytes(chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice([0, 1, 2, 7, 60, 1_000]))


def _text(chance: random.Random) -> bytes:
    return chance.choice(
        ["", " ", "null", "true", "{}", "[]", '""', "\ufeff{}", "{'a':1}", "ON ", "on"]
    ).encode()


def _number(chance: random.Random) -> bytes:
    return chance.choice(
        [
            "0",
            "-0.0",
            "1",
            "0.5",
            "1e-300",
            "1e400",
            "NaN",
            "Infinity",
            "0x1",
            "1_0",
            "٣",
            "9" * 60,
            "9" * 5_000,
        ]
    ).encode()


def _switch(chance: random.Random) -> bytes:
    return chance.choice([b"ON", b"OFF", b"ON\x00", b"\xff\xfeO\x00", b"TOGGLE"])


def _scalar(chance: random.Random) -> Any:
    return chance.choice(
        [None, True, False, 0, -1, 0.5, 1e308, 10**30, "", "porch", "debug", "\ud800", "\x00", "a" * 300]
    )


def _any(chance: random.Random, depth: int = 3) -> Any:
    kind = chance.random()
    if depth == 0 or kind < 0.6:
        return _scalar(chance)
    if kind < 0.8:
        return [_any(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(_FIELDS): _any(chance, depth - 1) for _ in range(chance.randrange(4))}


def _value(chance: random.Random) -> bytes:
    return json.dumps(_any(chance)).encode()


def _object(chance: random.Random) -> bytes:
    fields = {chance.choice(_FIELDS): _any(chance) for _ in range(chance.randrange(4))}
    return json.dumps(fields).encode()


def _options(chance: random.Random) -> bytes:
    wanted = {
        chance.choice(["room", "porch", ""]): {
            "thresholds": {chance.choice(["dog", "rain", "loud_sound", "?"]): _any(chance, 1)},
            **({"listening": _scalar(chance)} if chance.random() < 0.05 else {}),
        }
    }
    options = {"sources": wanted, **({"log_level": _scalar(chance)} if chance.random() < 0.5 else {})}
    return json.dumps({"options": options, "transaction": _scalar(chance)}).encode()


def _deep(chance: random.Random) -> bytes:
    depth = chance.choice([50, 900, 1_100, 3_900, 60_000])
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}")])
    inner = "" if opening == "[" else "1"
    return (opening * depth + inner + closing * (depth if chance.random() < 0.5 else 0))[:60_000].encode()


def _long(chance: random.Random) -> bytes:
    return b'{"transaction":"' + b"x" * chance.choice([8_000, 8_200, 60_000]) + b'"}'


def _broken(chance: random.Random) -> bytes:
    """Return a right request with one byte changed, or its end missing."""
    whole = bytearray(json.dumps({"paused": False, "source": "porch", "transaction": "t"}).encode())
    if chance.random() < 0.5:
        return bytes(whole[: chance.randrange(len(whole))])
    whole[chance.randrange(len(whole))] = chance.randrange(256)
    return bytes(whole)
