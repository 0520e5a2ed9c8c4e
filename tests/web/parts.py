"""What the tests of the page share: a server in this process, questions to it, and a browser."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from aed_daemon.clips.clips import Clips
from aed_daemon.companions import Companion, Surroundings
from aed_daemon.config import Config
from aed_daemon.detector import Decision
from aed_daemon.events import Event
from aed_daemon.features import Patch
from aed_daemon.history.companion import History
from aed_daemon.history.rows import KINDS, Query
from aed_daemon.inference import load_classifier
from aed_daemon.observer import Observation
from aed_daemon.web.web import Web
from tests.history.parts import history, written
from tests.process import free_port
from tests.waiting import wait_for

CLASSIFIER = load_classifier(None, "tflite")
SPEC = CLASSIFIER.manifest.spec
HOP = 24 * SPEC.hop_length


def settings(port: int, **web: Any) -> Config:
    """Return a configuration with the page at a port."""
    return Config.model_validate(
        {
            "node": "hall-3f2a",
            "source": [{"type": "demo", "name": "porch"}, {"type": "demo", "name": "hall"}],
            "web": {"enabled": True, "port": port, **web},
        },
        strict=False,
    )


def surroundings(config: Config, others: Sequence[Companion] = ()) -> Surroundings:
    """Return a daemon around the page that runs no sources."""
    return Surroundings(
        config=config,
        classifier=CLASSIFIER,
        state=None,
        health=lambda: (_ for _ in ()).throw(AssertionError("the page is told, it does not ask")),
        source_states=lambda: {source.name: "running" for source in config.source},
        detection=lambda _: config.detection,
        others=tuple(others),
    )


@contextmanager
def serving(*, others: Sequence[Companion] = (), **web: Any) -> Iterator[tuple[Web, int]]:
    """Serve the page at a free port."""
    port = free_port()
    page = Web(surroundings(settings(port, **web), others))
    page.start()
    try:
        wait_for(lambda: _answers(port), "the server answers")
        yield page, port
    finally:
        page.close(5.0)


def _answers(port: int) -> bool:
    # A whole answer: a server that is closed while it accepts leaves that connection to the collector.
    with suppress(OSError):
        return ask(port, "/static/icon.svg").status == 200
    return False


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int,
    path: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Ask the server as another program does, the path exactly as it stands."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with closing(connection):
        given = dict(headers or {})
        connection.putrequest(method, path, skip_host="Host" in given)
        if body is not None:
            given.setdefault("Content-Length", str(len(body)))
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())


class Stream:
    """The live stream as a page gets it."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.request("GET", "/live", headers=dict(headers or {}))
        self._answer = self._connection.getresponse()
        self.status = self._answer.status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._connection.close()

    def next(self, *kinds: str) -> tuple[str, Any]:
        """Return the next message, of one of these kinds if there are any; '' at the end."""
        while True:
            kind = self._field("event: ")
            if not kind:
                return "", None
            data = json.loads(self._field("data: "))
            if not kinds or kind in kinds:
                return kind, data

    def _field(self, name: str) -> str:
        line = self._answer.readline().decode()
        while line == "\n":
            line = self._answer.readline().decode()
        assert not line or line.startswith(name), line
        return line.removeprefix(name).rstrip("\n")


def heard(
    number: int, scores: Mapping[str, float] | None = None, *, source: str = "porch", level_dbfs: float = -40
) -> Observation:
    """Return the decision with a number, of a patch whose rows are the numbers of their frames."""
    first_frame = 24 * number
    output = CLASSIFIER.manifest.output
    values = np.full(len(CLASSIFIER.manifest.labels), output.zero_point, np.int8)
    for index, label in enumerate(CLASSIFIER.manifest.labels):
        steps = round((scores or {}).get(label.slug, 0.0) / output.scale)
        values[index] = np.int8(max(-128, min(127, output.zero_point + steps)))
    rows = np.arange(first_frame, first_frame + SPEC.patch_frames, dtype=np.float32)
    end = first_frame * SPEC.hop_length + SPEC.patch_samples + 296
    patch = Patch(first_frame, np.repeat(rows[:, None] % 100 / 20 - 8, SPEC.n_mels, axis=1))
    cdb = round(100 * level_dbfs)
    return Observation(source, end, Decision(end, values, False, cdb, cdb + 500, -6_000, False, [], patch))


def course(*scores: float, slug: str = "dog") -> list[Observation]:
    """Return decisions in which one class has these scores."""
    return [heard(number, {slug: score}) for number, score in enumerate(scores)]


@contextmanager
def remembering(folder: Path, *events: Event) -> Iterator[History]:
    """Run a history that has these events."""
    path = folder / "history.db"
    with history(written(path, events=list(events))) as found:
        wait_for(lambda: found.sounds(Query()) is not None, "the history is open")
        yield found


def recordings(folder: Path) -> Clips:
    """Return clips that lie in a folder; nothing is recorded."""
    return Clips(folder, settings(1), CLASSIFIER.manifest)


def labels(archive: History) -> dict[str, str]:
    """Return what was said: of sounds by their id, of what was missed by its class."""
    sounds = archive.sounds(Query(kinds=KINDS)).sounds
    return {one.class_ if one.kind == "missed" else one.id: one.label for one in sounds if one.label}
