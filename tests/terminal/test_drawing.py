"""What the picture is made of: columns of the spectrogram, bars and lanes; and the keys."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from aed_daemon.config import DetectionConfig
from aed_daemon.detector import Detector
from aed_daemon.features import log_mel
from aed_daemon.inference import load_classifier
from aed_daemon.observer import Observation
from aed_daemon.terminal.bars import bar
from aed_daemon.terminal.history import COLUMNS, SpectrumHistory
from aed_daemon.terminal.ink import STEPS, Ink, colour, steps_of
from aed_daemon.terminal.keyboard import plain
from aed_daemon.terminal.lanes import lanes
from aed_daemon.terminal.scene import Span, Tone
from aed_daemon.terminal.spectrogram import AXIS, draw
from tests.sounds import soundscape

CLASSIFIER = load_classifier()
SPEC = CLASSIFIER.manifest.spec
COLOUR, PLAIN, ASCII = Ink(True, True), Ink(False, True), Ink(False, False)


def observations(seconds: float, origin: int = 0) -> list[Observation]:
    detector = Detector(CLASSIFIER, DetectionConfig())
    return [
        Observation("porch", origin + one.end_sample, one) for one in detector.push(soundscape(1, seconds))
    ]


def test_columns_hold_the_loudest_of_each_tenth_of_a_second() -> None:
    history = SpectrumHistory(SPEC)
    found = observations(6.0)
    for one in found:
        history.push(one)
    rows = log_mel(soundscape(1, 6.0), SPEC) * (20 / np.log(10))
    shown = history.last(20)
    # An index says where a hop ends; its last frame begins a window earlier.
    late = found[-1].end_sample // SPEC.hop_length - (
        found[-1].decision.patch.first_frame + SPEC.patch_frames
    )
    first = (history.end - 20) * 10 - late
    for column in range(19):
        frames = rows[first + 10 * column : first + 10 * column + 10]
        np.testing.assert_allclose(shown[column], frames.max(axis=0), rtol=1e-5)


def test_what_was_lost_stays_empty() -> None:
    history = SpectrumHistory(SPEC)
    first, later = observations(2.0), observations(2.0, origin=5 * 16_000)
    for one in (*first, *later):
        history.push(one)
    shown = history.last(history.end)
    empty = ~np.isfinite(shown).any(axis=1)
    ends, begins = history.column(first[-1].end_sample), history.column(later[0].end_sample) - 10
    assert empty[ends + 1 : begins].all()
    assert not empty[begins + 1 :].any()
    assert begins - ends > 20


def test_no_more_is_kept_than_is_shown() -> None:
    history = SpectrumHistory(SPEC)
    found = observations(2.0)
    for origin in range(0, 100 * 16_000, 2 * 16_000):
        for one in found:
            history.push(one._replace(end_sample=origin + one.end_sample))
    assert history.end > COLUMNS
    assert history.last(2 * COLUMNS).shape == (COLUMNS, SPEC.n_mels)


@pytest.mark.parametrize("ink", [COLOUR, PLAIN, ASCII])
@pytest.mark.parametrize("rows", [1, 3, 7, 32, 64])
def test_a_tone_is_drawn_where_its_band_is(ink: Ink, rows: int) -> None:
    levels = np.full((50, SPEC.n_mels), -60.0, np.float32)
    levels[20:30, 48] = 0.0
    drawn = draw(levels, rows, SPEC, ink)
    assert [sum(len(part.text) for part in line) for line in drawn] == [AXIS + 50] * rows
    brightest = min(rows - 1, int((1 - 48.5 / 64) * rows))
    for number, line in enumerate(drawn):
        cells = [(character, part.style) for part in line[1:] for character in part.text]
        assert (cells[25] != cells[5]) == (number == brightest), number


def test_nothing_heard_is_drawn_dark() -> None:
    levels = np.full((10, SPEC.n_mels), -np.inf, np.float32)
    (line,) = draw(levels, 1, SPEC, PLAIN)
    assert "".join(part.text for part in line).strip() == ""


def test_steps_span_the_scale() -> None:
    levels = np.array([-np.inf, -60, -40, -20, 0, 99], np.float32)
    assert steps_of(levels, -60.0, 60.0, 6).tolist() == [0, 0, 2, 4, 5, 5]


def test_colours_grow_brighter_all_the_way() -> None:
    def brightness(step: int) -> float:
        red, green, blue = colour(step).get_truecolor()
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    shades = [brightness(step) for step in range(STEPS)]
    assert shades == sorted(set(shades))


@pytest.mark.parametrize(
    ("value", "ink", "drawn"),
    [
        (0.0, COLOUR, "········"),
        (1.0, COLOUR, "████████"),
        (7.0, COLOUR, "████████"),
        (-1.0, COLOUR, "········"),
        (0.5, COLOUR, "████····"),
        (0.5 + 1 / 64, COLOUR, "████▏···"),
        (0.5, ASCII, "####...."),
    ],
)
def test_a_bar_is_as_long_as_its_value(value: float, ink: Ink, drawn: str) -> None:
    assert bar(value, 8, "green", ink).plain == drawn


def test_marks_stand_on_a_bar_where_they_belong() -> None:
    assert bar(0.25, 8, "green", COLOUR, {"┃": 0.5, "▽": 0.0, "|": 1.0}).plain == "▽█··┃··|"


def span(name: str, tone: Tone, first: int, end: int | None) -> Span:
    return Span(name, tone, first, end)


def test_sounds_lie_on_the_time_axis_and_not_on_each_other() -> None:
    spans = [
        span("dog", "start", 105, 112),
        span("loud_sound", "start", 105, None),
        span("rain", "near miss", 125, 126),
        span("mark", "mark", 99, 100),
        span("mark", "mark", 107, 108),
        span("too_many", "start", 106, 120),
    ]
    first, second = (line.plain for line in lanes(spans, 140, 40, 2, COLOUR))
    assert first == "     ━d▲g━━━             ┄rain?         "
    assert second == "     ━loud_sound" + "━" * 24


def test_what_has_scrolled_away_is_gone_and_what_goes_on_reaches_the_edge() -> None:
    spans = [span("dog", "start", 10, 60), span("rain", "start", 90, None), span("rooster", "start", 20, 110)]
    first, second = (line.plain for line in lanes(spans, 120, 20, 2, ASCII))
    assert first == "=rooster==          "
    assert second == "=rain" + "=" * 15


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", "q"),
        (b"x\x1b[A\x1bm", "xm"),
        (b"\x1b[1;5Cm\x1bOP?", "m?"),
        (b"\x1b[<0;12;7M\x1b[I", ""),
        (b"\x1b", ""),
        (b"\xff\xc3\xbcp", "üp"),
    ],
)
def test_keys_are_told_from_sequences(data: bytes, keys: str) -> None:
    assert plain(data) == keys


def test_ink_is_what_the_terminal_can_show() -> None:
    assert Ink.of(Console(color_system="truecolor", force_terminal=True)).colours
    assert not Ink.of(Console(color_system="standard", force_terminal=True)).colours
    assert not Ink.of(Console(color_system="truecolor", force_terminal=True, no_color=True)).colours
