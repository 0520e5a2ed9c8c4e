"""Points in time as people write them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aed_daemon.when import parse_when

NOW_TS = datetime(2026, 11, 24, 1, 30, 15, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    os.environ.setdefault("TZ", "")
    if not os.environ["TZ"]:
        del os.environ["TZ"]
    time.tzset()


def at(*parts: int) -> float:
    """Return a time in UTC."""
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_TS),
        ("90s", NOW_TS - 90),
        (" 2h ", NOW_TS - 7_200),
        ("1.5d", NOW_TS - 129_600),
        ("4w", NOW_TS - 4 * 604_800),
        ("02:30", at(2026, 11, 24, 1, 30)),
        ("02:31", at(2026, 11, 23, 1, 31)),
        ("2:30:15", NOW_TS),
        ("2026-11-23T20:00", at(2026, 11, 23, 19)),
        ("2026-07-01", at(2026, 6, 30, 22)),
        ("2026-11-23T20:00:00Z", at(2026, 11, 23, 20)),
        ("2026-11-23T20:00-05:00", at(2026, 11, 24, 1)),
    ],
)
def test_times(text: str, expected: float) -> None:
    assert parse_when(text, NOW_TS) == expected


@pytest.mark.parametrize(
    "text", ["", "2", "-2h", "h", "24:61", "25:00", "yesterday", "2026-13-01", "1e9h", "٢h"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time ago"):
        parse_when(text, NOW_TS)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_an_error_in_words(text: str) -> None:
    with contextlib.suppress(ValueError):  # anything else would fail
        assert isinstance(parse_when(text, NOW_TS), float)
