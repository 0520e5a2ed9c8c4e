"""The routes, asked over real connections: what is answered, and what is refused without effect."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from aed_daemon.history.companion import History
from aed_daemon.web.access import COOKIE
from tests.history.parts import event
from tests.sinks.parts import draft
from tests.web.parts import (
    Stream,
    ask,
    course,
    heard,
    labels,
    recordings,
    remembering,
    serving,
    settings,
    surroundings,
)

TOKEN = "0123456789abcdef"  # noqa: S105 # nobody's
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def test_the_page_and_its_parts() -> None:
    with serving() as (_, port):
        page = ask(port, "/")
        assert page.status == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for part in ("main.js", "page.css", "parts.css", "icon.svg"):
            assert ask(port, f"/static/{part}").status == 200
        assert ask(port, "/nothing").status == 404
        assert ask(port, "/api/labels").status == 405
        state = ask(port, "/api/state").json()
        assert state["node"] == "hall-3f2a"
        assert [source["name"] for source in state["sources"]] == ["porch", "hall"]
        assert state["sources"][0]["thresholds"]["dog"]["on"] == pytest.approx(0.5)
        assert state["has"] == {"history": False, "clips": False, "metrics": False, "token": False}


def test_what_is_not_there_is_not_offered() -> None:
    with serving() as (_, port):
        for path in ("/metrics", "/clips/porch/a.flac"):
            assert ask(port, path).status == 404
        answer = ask(port, "/api/labels", "POST", JSON, b'{"id": "x", "label": "right"}')
        assert (answer.status, "history.enabled" in answer.json()["error"]) == (404, True)


def test_the_last_sounds_are_remembered_without_a_history() -> None:
    with serving() as (page, port):
        event = draft()
        page.event(event)
        page.event(event.model_copy(update={"type": "end", "duration_s": 1.5, "end_sample": 8_147_392}))
        for observation in course(0.4, 0.45, *[0.0] * 6):
            page.hop(observation)
        nearly, dog = ask(port, "/api/sounds").json()["sounds"]
        assert (dog["id"], dog["class"], dog["score_max"], dog["duration_s"]) == (event.id, "dog", 0.97, 1.5)
        assert (nearly["kind"], nearly["score_max"]) == ("near_miss", pytest.approx(0.45, abs=0.004))
        assert nearly["strength"] == pytest.approx(0.4, abs=0.004), "held for two hops, as dog has to be"
        assert len(ask(port, "/api/sounds?limit=1").json()["sounds"]) == 1


def test_a_near_miss_is_as_strong_as_it_was_held_for_long_enough() -> None:
    with serving() as (page, port):
        for observation in course(0.4, 0.8, 0.2, *[0.0] * 6):
            page.hop(observation)
        (nearly,) = ask(port, "/api/sounds").json()["sounds"]
        assert nearly["score_max"] == pytest.approx(0.8, abs=0.004)
        assert nearly["strength"] == pytest.approx(0.4, abs=0.004)


def test_a_near_miss_of_sound_that_was_lost_is_told() -> None:
    with serving() as (page, port):
        page.hop(heard(0, {"dog": 0.4}))
        page.gap("porch", heard(0).end_sample, heard(20).end_sample)
        assert len(ask(port, "/api/sounds").json()["sounds"]) == 1
        page.hop(heard(30, {"dog": 0.4}))
        page.hop(heard(0))  # it was opened anew
        assert len(ask(port, "/api/sounds").json()["sounds"]) == 2


@pytest.mark.parametrize(
    "question", ["limit=0", "limit=1e9", "limit=x", "since=nan", "kind=all", "colour=red", "min_score="]
)
def test_malformed_questions_are_answered(question: str) -> None:
    with serving() as (_, port):
        answer = ask(port, f"/api/sounds?{question}")
        assert (answer.status, "error" in answer.json()) == (400, True)


def test_the_stream_tells_what_happens() -> None:
    with serving() as (page, port), Stream(port) as stream:
        assert stream.next()[0] == "hello"
        page.hop(heard(0))
        assert stream.next()[0] == "hop"
        page.event(draft())
        kind, sound = stream.next()
        assert (kind, sound["type"], sound["class"]) == ("sound", "start", "dog")
        page.gap("porch", 100, 200)
        page.availability("porch", False, "device_lost")
        assert stream.next() == ("gap", {"source": "porch", "first": 100, "end": 200})
        told = {"source": "porch", "online": False, "reason": "device_lost"}
        assert stream.next() == ("availability", told)
        page.close(5.0)
        assert stream.next() == ("", None)


def test_there_are_only_so_many_viewers() -> None:
    with serving(max_viewers=2) as (_, port), Stream(port) as one, Stream(port) as two, Stream(port) as three:
        assert (one.status, two.status, three.status) == (200, 200, 503)
        assert ask(port, "/api/state").status == 200


def test_history_is_asked_and_labelled(tmp_path: Path) -> None:
    dogs, rain = [event(at) for at in (0.0, 10.0, 20.0)], event(30.0, class_="rain")
    newest = dogs[-1].id
    with (
        remembering(tmp_path, *dogs, rain) as archive,
        serving(others=[archive]) as (_, port),
        Stream(port) as stream,
    ):
        query = f"/api/sounds?limit=2&class=dog,chainsaw&since={dogs[1].start_ts}"
        found = ask(port, query).json()
        assert ([sound["id"] for sound in found["sounds"]], found["next"]) == ([newest, dogs[1].id], None)
        found = ask(port, "/api/sounds?limit=1&class=dog").json()
        assert [sound["id"] for sound in found["sounds"]] == [newest]
        more = ask(port, f"/api/sounds?limit=1&class=dog&cursor={quote(found['next'])}").json()
        assert [sound["id"] for sound in more["sounds"]] == [dogs[1].id]
        said = {"id": newest, "label": "wrong"}
        assert ask(port, "/api/labels", "POST", JSON, json.dumps(said).encode()).json() == said
        assert stream.next("label") == ("label", said)
        missed = {"missed": "dog", "at": dogs[0].start_ts + 5.5, "source": "porch"}
        assert ask(port, "/api/labels", "POST", JSON, json.dumps(missed).encode()).status == 200
        assert labels(archive) == {newest: "wrong", "dog": "missed"}
        unknown = {"id": "01KAR3V0W0AAAAAAAAAAAAAAAA", "label": "right"}
        answer = ask(port, "/api/labels", "POST", JSON, json.dumps(unknown).encode())
        assert (answer.status, "no such sound" in answer.json()["error"]) == (400, True)
        assert ask(port, "/api/sounds?cursor=abc").status == 400


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b'{"id": "x", "label": "right"}', 415),
        ({"Content-Type": "text/plain"}, b'{"id": "x", "label": "right"}', 415),
        (JSON, b"{", 400),
        (JSON, b"\xff\xfe", 400),
        (JSON, b"[]", 400),
        (JSON, b'{"id": "x", "label": "maybe"}', 400),
        (JSON, b'{"id": 5, "label": "right"}', 400),
        (JSON, b'{"missed": "dog", "at": NaN, "source": "porch"}', 400),
        (JSON, b'{"missed": "dog", "at": true, "source": "porch"}', 400),
        (JSON, b" " * 20_000, 413),
        ({**JSON, "Origin": "http://evil.example"}, b'{"id": "x", "label": "right"}', 403),
        ({**JSON, "Sec-Fetch-Site": "cross-site"}, b'{"id": "x", "label": "right"}', 403),
    ],
)
def test_labels_that_are_refused(headers: dict[str, str], body: bytes, status: int, tmp_path: Path) -> None:
    with remembering(tmp_path, event()) as archive, serving(others=[archive]) as (_, port):
        assert ask(port, "/api/labels", "POST", headers, body).status == status
        assert labels(archive) == {}


def test_clips_and_nothing_beside_them(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    day = clips / "porch" / "2026-11-23"
    day.mkdir(parents=True)
    mine, linked = event(), event(1.0)
    (day / f"{mine.id}.flac").write_bytes(b"fLaC sound")
    (day / f"{mine.id}.json").write_text("not yours")  # for the daemon's owner, on the disk
    (day / "notes.txt").write_text("not yours")
    (tmp_path / f"{mine.id}.flac").write_text("not yours")
    (day / f"{linked.id}.flac").symlink_to(tmp_path / f"{mine.id}.flac")
    outside, here = f"{mine.id}.flac", "/clips/porch/2026-11-23"
    with serving(others=[recordings(clips)]) as (_, port):
        whole = ask(port, f"{here}/{mine.id}.flac")
        assert (whole.status, whole.headers["content-type"]) == (200, "audio/flac")
        part = ask(port, f"{here}/{mine.id}.flac", headers={"Range": "bytes=5-"})
        assert (part.status, part.body) == (206, b"sound")
        for path in (
            f"/clips/../{outside}", f"/clips/%2e%2e/{outside}", f"{here}/../../../{outside}",
            f"/clips/..%2f{outside}", f"/clips/{tmp_path}/{outside}", f"/clips//{tmp_path}/{outside}",
            f"{here}/{linked.id}.flac", f"{here}/notes.txt", f"{here}/{mine.id}.json", here,
            f"{here}/{mine.id}.flac%00", "/clips/" + "a" * 5_000 + ".flac", "/static/../web.py",
            "/static/%2e%2e/web.py",
        ):  # fmt: skip
            answer = ask(port, path)
            assert answer.status == 404, path
            assert b"not yours" not in answer.body


def test_a_token_is_asked_for(token: Path) -> None:
    with serving(token_file=str(token)) as (_, port):
        assert ask(port, "/").headers["location"] == "/login"
        assert ask(port, "/login").status == 200
        assert ask(port, "/static/page.css").status == 200
        for path in ("/live", "/api/state", "/api/sounds", "/metrics", "/clips/a.flac"):
            answer = ask(port, path)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert ask(port, "/api/state", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200


def test_the_form_takes_the_token(token: Path) -> None:
    with serving(token_file=str(token)) as (_, port):
        refused = ask(port, "/login", "POST", body=b"token=wrong")
        assert (refused.status, "set-cookie" in refused.headers) == (401, False)
        answer = ask(port, "/login", "POST", body=f"token={TOKEN}".encode())
        assert (answer.status, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        carried = {"Cookie": cookie.partition(";")[0]}
        assert ask(port, "/api/state", headers=carried).status == 200
        assert ask(port, "/", headers=carried).status == 200
        gone = ask(port, "/logout", "POST", headers=carried).headers["set-cookie"]
        assert gone.startswith(f'{COOKIE}=""')


def test_refusals_are_logged_once_and_change_nothing(token: Path) -> None:
    with serving(token_file=str(token)) as (page, port), capture_logs() as logs:
        for _ in range(5):
            ask(port, "/api/state", headers={"Authorization": "Bearer wrong-wrong-wrong"})
            ask(port, "/login", "POST", body=b"token=wrong")
            ask(port, "/api/state", headers={"Origin": "http://evil.example"})
            ask(port, "/api/state", headers={"Host": "evil.example"})
        page.hop(heard(0))
        assert sorted(line["event"] for line in logs) == [
            "web_foreign_origin", "web_unknown_host", "web_wrong_token",
        ]  # fmt: skip
        assert "wrong-wrong" not in str(logs)


def test_a_name_that_was_rebound_is_refused() -> None:
    with serving() as (_, port):
        for host in ("evil.example", f"192.168.1.7:{port}", ""):
            assert ask(port, "/api/state", headers={"Host": host}).status == 421
        assert ask(port, "/api/state", headers={"Host": f"localhost:{port}"}).status == 200


def test_what_a_route_raises_is_logged_once_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(History, "sounds", lambda *_: 1 / 0)  # a defect elsewhere
    archive = History(surroundings(settings(1)), tmp_path / "history.db")
    with serving(others=[archive]) as (web, port), Stream(port) as stream, capture_logs() as logs:
        assert stream.next()[0] == "hello"
        assert [ask(port, "/api/sounds").status for _ in range(3)] == [500] * 3
        assert [line["event"] for line in logs] == ["web_failed"]
        web.hop(heard(0))
        assert stream.next()[0] == "hop"
