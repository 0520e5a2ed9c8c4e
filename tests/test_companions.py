"""Companions: made as the configuration says, exchanged where it changes; one that fails harms nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from aed_daemon.companions import Companion, Companions, Kind, Surroundings
from aed_daemon.config import Config
from aed_daemon.errors import ConfigError
from aed_daemon.events import Event
from aed_daemon.inference import load_classifier
from tests.sinks.parts import draft

CLASSIFIER = load_classifier(None, "tflite")


class Notebook(Companion):
    """Writes down what it is told."""

    def __init__(self, around: Surroundings | None = None) -> None:
        self.others = around.others if around else ()
        self.calls: list[Any] = []

    def start(self) -> None:
        self.calls.append("start")

    def event(self, event: Event) -> None:
        self.calls.append(event.id)

    def availability(self, source: str, online: bool, reason: str | None) -> None:
        self.calls.append((source, online, reason))

    def close(self, timeout_s: float) -> None:
        self.calls.append("close" if timeout_s > 0 else "too late")


class Broken(Companion):
    """Fails at events."""

    def event(self, event: Event) -> None:
        raise OSError(f"no room for {event.id}")


def around(**changes: Any) -> Callable[[tuple[Companion, ...]], Surroundings]:
    config = Config.model_validate({"source": [{"type": "demo", "name": "porch"}], **changes})
    base = Surroundings(
        config, CLASSIFIER, None, lambda: pytest.fail("not asked"), dict, lambda _: config.detection
    )
    return lambda others: replace(base, others=others)


class Made:
    """Kinds of companions, and those that came of them."""

    def __init__(self) -> None:
        self.log: list[Notebook] = []
        self.output: list[Notebook] = []
        self.kinds = (
            Kind(lambda config: config.log, lambda given: self._make(self.log, given)),
            Kind(
                lambda config: config.output if config.output.jsonl else None,
                lambda given: self._make(self.output, given),
            ),
        )

    def _make(self, where: list[Notebook], given: Surroundings) -> Notebook:
        if given.config.log.level == "error":
            raise ConfigError("not this one")
        where.append(Notebook(given))
        return where[-1]


def test_what_is_wanted_is_made_once_and_told_everything() -> None:
    made, fixed = Made(), Notebook()
    companions = Companions([fixed], made.kinds)
    companions.availability("porch", True, None)
    companions.adopt(companions.plan(around()))
    event = draft()
    companions.event(event)
    companions.adopt(companions.plan(around()))
    assert fixed.calls == ["start", ("porch", True, None), event.id]
    assert [one.calls for one in made.log] == [["start", ("porch", True, None), event.id]]
    assert made.output == []
    companions.close(1.0)
    assert fixed.calls[-1] == event.id, "a publisher that is exchanged does not end them"
    companions.end(1.0)
    assert (fixed.calls[-1], made.log[0].calls[-1]) == ("close", "close")


def test_one_whose_part_of_the_configuration_changes_is_exchanged() -> None:
    made = Made()
    companions = Companions((), made.kinds)
    companions.adopt(companions.plan(around()))
    companions.adopt(companions.plan(around(output={"jsonl": True})))
    assert [len(made.log), len(made.output)] == [1, 1]
    assert made.output[0].others == (made.log[0],)
    companions.adopt(companions.plan(around(output={"jsonl": True}, log={"level": "debug"})))
    assert made.log[0].calls == ["start", "close"]
    assert made.output[0].calls == ["start", "close"], "it had a use for the one that is gone"
    assert made.output[1].others == (made.log[1],)
    companions.adopt(companions.plan(around(log={"level": "debug"})))
    assert [one.calls[-1] for one in (*made.output, made.log[1])] == ["close", "close", "start"]


def test_one_that_cannot_be_made_changes_nothing() -> None:
    made = Made()
    companions = Companions((), made.kinds)
    companions.adopt(companions.plan(around()))
    with pytest.raises(ConfigError):
        companions.adopt(companions.plan(around(log={"level": "error"}, output={"jsonl": True})))
    companions.plan(around(log={"level": "debug"}))  # which is not adopted, as what else there is was refused
    event = draft()
    companions.event(event)
    assert made.log[0].calls == ["start", event.id]


class Recorder(Companion):
    """Records, or fails at it."""

    def __init__(self, path: str | None) -> None:
        self._path = path

    def recording(self, draft: Event) -> str | None:
        if self._path == "":
            raise OSError(f"no room for {draft.id}")
        return self._path


def test_the_first_recording_counts_and_one_that_fails_makes_none() -> None:
    assert Companions().recording(draft()) is None
    assert Companions([Recorder(None), Recorder("")]).recording(draft()) is None
    companions = Companions([Recorder(""), Recorder(None), Recorder("a.flac"), Recorder("b.flac")])
    with capture_logs() as logs:
        assert companions.recording(draft()) == "a.flac"
    assert [(log["event"], log["call"]) for log in logs] == [("companion_failed", "recording")]


class Ill(Companion):
    """Cannot do its work."""

    @property
    def problem(self) -> str | None:
        return "the disk is full"


class Worse(Companion):
    """Cannot even say so."""

    @property
    def problem(self) -> str | None:
        raise OSError("gone")


def test_what_is_wrong_with_them_is_told_by_name() -> None:
    assert Companions([Notebook(), Worse(), Ill()]).problems == {"ill": "the disk is full"}


def test_those_that_the_configuration_has_made_are_found_by_their_class() -> None:
    made = Made()
    companions = Companions([Broken()], made.kinds)
    companions.adopt(companions.plan(around()))
    assert companions.of(Notebook) is made.log[0]
    assert companions.of(Recorder) is None


def test_one_that_fails_is_logged_and_the_others_are_told() -> None:
    after = Notebook()
    companions = Companions([Broken(), after])
    with capture_logs() as logs:
        for _ in range(3):
            companions.event(draft())
    assert (companions.failures, len(after.calls)) == (3, 4)
    assert [(log["event"], log["part"], log["call"]) for log in logs] == [
        ("companion_failed", "Broken", "event")
    ]
