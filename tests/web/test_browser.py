"""The page in a real browser: from a sound to the screen, and back after the server was lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from aed_daemon.events import Event
from tests.process import Daemon, free_port, toml
from tests.sinks.parts import draft
from tests.sounds import quiet, soundscape, write_wav
from tests.waiting import wait_for
from tests.web.chromium import browser, watched
from tests.web.parts import ask, course, heard, labels, recordings, remembering, serving

pytestmark = pytest.mark.system

TIMEOUT_MS = 30_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)
    with browser() as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    tab = context.new_page()
    tab.set_default_timeout(TIMEOUT_MS)
    wrong = watched(tab)
    yield tab
    context.close()
    assert wrong == []


def sound(number: int, score: float, **changes: Any) -> Event:
    """Return the end of a dog's bark."""
    event = draft(score=score, score_max=score)
    new: dict[str, Any] = {
        "id": f"01KAR3V0W{number:017d}",
        "type": "end",
        "start_ts": event.start_ts + number,
        "duration_s": 1.5,
        "end_sample": event.start_sample + 24_000,
        **changes,
    }
    return event.model_copy(update=new)


def item(page: Page, sound_id: str) -> Any:
    return page.locator(f'#events > li[data-id="{sound_id}"]')


def drawn(page: Page, canvas: str) -> int:
    """Return how many colours a canvas shows."""
    count: int = page.evaluate(
        """(id) => {
            const canvas = document.getElementById(id);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }""",
        canvas,
    )
    return count


def test_from_a_sound_to_the_screen_and_back_after_a_loss(tmp_path: Path, page: Page) -> None:
    heard_again = np.concatenate([soundscape(1, 4.0), quiet(3.0)])
    path, port = write_wav(tmp_path / "dog.wav", heard_again), free_port()
    source = f'name = "porch"\ntype = "file"\npath = "{path}"\nloop = true\nrealtime = true'
    parts = f"[web]\nenabled = true\nport = {port}\n[clips]\nenabled = true\nmin_free_mb = 0\n"
    config = toml([source], more=parts)
    with Daemon(tmp_path, config) as daemon:
        daemon.wait_ready()
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.locator("#link")).to_have_text("live")
        expect(page.locator("#node")).to_have_text("test")
        dogs = page.locator('#events > li[data-class="dog"][data-kind="event"]')
        expect(dogs.first).to_be_visible()
        before = dogs.count()
        expect(dogs).not_to_have_count(before)  # one more, while the page looks on
        expect(page.locator("#announcer")).to_contain_text("at porch")
        expect(page.locator("#level-now")).to_contain_text("dBFS")
        assert drawn(page, "spectrogram") > 100
        assert drawn(page, "scores") > 3

        wait_for(lambda: list(daemon.state.glob("clips/porch/*/*.flac")), "a clip is written")
        page.reload()
        dogs.last.locator("button.sound").click()
        wait_for(
            lambda: page.evaluate("document.querySelector('audio')?.readyState >= 1"), "the clip is loaded"
        )
        assert page.evaluate("document.querySelector('audio').duration") > 1.5
        expect(page.locator(".more-of img")).to_have_js_property("complete", True)
        assert page.evaluate("document.querySelector('.more-of img').naturalWidth") > 100

        page.locator("#threshold-dog").fill("0.05")
        expect(page.locator('#what-if li[data-class="dog"]')).to_contain_text("keeps")
        expect(page.locator("#proposal pre")).to_have_text("[detection.classes.dog]\nthreshold_on = 0.05")
        assert ask(port, "/api/state").json()["sources"][0]["thresholds"]["dog"]["on"] == pytest.approx(0.5)

        page.reload()
        expect(page.locator("#link")).to_have_text("live")
        expect(dogs.first).to_be_visible()
        expect(page.locator("#proposal")).to_be_hidden()

        daemon.send(signal.SIGKILL)
        daemon.wait_end()
        expect(page.locator("#link")).to_have_text("no answer")
        expect(page.locator("#gone")).to_contain_text("keeps trying")
        expect(dogs.first).to_be_visible()
    with Daemon(tmp_path, config) as daemon:
        expect(page.locator("#link")).to_have_text("live")
        expect(page.locator("#gone")).to_be_hidden()
        expect(dogs.first).to_be_visible()
        daemon.send(signal.SIGTERM)
        assert daemon.wait_end() == 0
        assert "Traceback" not in daemon.log


def test_a_threshold_tells_what_it_would_keep(page: Page) -> None:
    with serving() as (web, port):
        for number, score in enumerate((0.55, 0.7, 0.97)):
            web.event(sound(number, score))
        for observation in course(0.42, 0.42, *[0.0] * 6, 0.1, 0.8, *[0.0] * 6):
            web.hop(observation)
        page.goto(f"http://127.0.0.1:{port}/")
        row = page.locator('#what-if li[data-class="dog"]')
        expect(row.locator(".verdict")).to_have_text("3 events, 2 near misses")
        slider = page.locator("#threshold-dog")
        slider.fill("0.6")
        expect(row.locator(".verdict")).to_have_text("keeps 2 of 3 events, 2 near misses")
        expect(item(page, sound(0, 0.55).id)).to_contain_class("dropped")
        expect(item(page, sound(1, 0.7).id)).not_to_contain_class("dropped")
        slider.fill("0.4")
        # The other near miss was over the threshold for one hop, and dog has to be for two.
        expect(row.locator(".verdict")).to_have_text("keeps 3 of 3 events, adds 1 of 2 near misses")
        expect(page.locator("#events .badge.kept")).to_have_count(1)
        slider.focus()
        slider.press("ArrowRight")
        expect(row.locator("output")).to_have_text("0.41")
        page.locator("#reset").click()
        expect(row.locator(".verdict")).to_have_text("3 events, 2 near misses")
        page.locator("#show-near").uncheck()
        expect(page.locator("#events > li")).to_have_count(3)


def test_a_sound_says_why_and_its_clip_is_heard(page: Page, tmp_path: Path) -> None:
    clip = f"porch/2026-11-23/{sound(1, 0.97).id}.wav"
    (tmp_path / clip).parent.mkdir(parents=True)
    write_wav(tmp_path / clip, soundscape(1, 2.0))
    with serving(others=[recordings(tmp_path)]) as (web, port):
        web.event(sound(1, 0.97, clip=clip))
        page.goto(f"http://127.0.0.1:{port}/")
        button = item(page, sound(1, 0.97).id).locator("button.sound")
        button.press("Enter")
        expect(button).to_have_attribute("aria-expanded", "true")
        expect(page.locator(".more-of")).to_contain_text("Its best score was 0.97; an event needs 0.50.")
        ready = "document.querySelector('audio')?.readyState >= 1"
        wait_for(lambda: page.evaluate(ready), "the clip is loaded")
        assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(2.0, abs=0.01)
        page.evaluate("document.querySelector('audio').dataset.same = 'yes'")
        web.event(sound(2, 0.8))
        expect(item(page, sound(2, 0.8).id)).to_be_visible()
        assert page.evaluate("document.querySelector('audio').dataset.same") == "yes", "it plays on"


def test_the_reader_says_what_is_right(page: Page, tmp_path: Path) -> None:
    with remembering(tmp_path, sound(1, 0.97)) as archive, serving(others=[archive]) as (web, port):
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.locator("#link")).to_have_text("live")
        web.event(sound(1, 0.97))
        entry = item(page, sound(1, 0.97).id)
        entry.locator("button.sound").click()
        entry.get_by_role("button", name="Wrong", exact=True).click()
        expect(entry.locator(".badge")).to_have_text("wrong")
        assert labels(archive) == {sound(1, 0.97).id: "wrong"}
        entry.get_by_role("button", name="Wrong", exact=True).click()
        expect(entry.locator(".badge")).to_be_hidden()
        page.locator("#missed-class").select_option("rain")
        page.locator("#missed button").click()
        expect(page.locator('#events > li[data-kind="missed"]')).to_contain_text("Rain, missed")
        assert labels(archive) == {"rain": "missed"}


def test_the_token_is_asked_for_and_remembered(page: Page, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef")
    with serving(token_file=str(tmp_path / "token")) as (_, port):
        page.goto(f"http://127.0.0.1:{port}/")
        page.get_by_label("Token").fill("not this one at all")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("alert")).to_have_text("That is not the token.")
        page.get_by_label("Token").fill("0123456789abcdef")
        page.get_by_role("button", name="Enter").click()
        expect(page.locator("#link")).to_have_text("live")
        page.reload()
        expect(page.locator("#link")).to_have_text("live")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()


def test_the_table_and_the_pause(page: Page) -> None:
    with serving() as (web, port):
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.locator("#link")).to_have_text("live")
        page.locator("#table-details summary").click()
        for number in range(8):
            web.hop(heard(number, {"rain": 0.9}))
        rain = page.locator("#score-table tbody tr").nth(1)
        expect(rain).to_contain_text("0.90")
        page.keyboard.press("p")
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("p")
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", (1380, 900)), ("dark", (1380, 900)), ("light", (390, 844))]
)
def test_nothing_stands_in_anybody_s_way(
    chromium: Browser, scheme: Any, size: tuple[int, int], tmp_path: Path
) -> None:
    """axe-core finds no violation, with everything open that can be."""
    from tests.web.axe import violations

    context = chromium.new_context(
        color_scheme=scheme, viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce"
    )
    tab = context.new_page()
    with remembering(tmp_path, sound(1, 0.97)) as archive, serving(others=[archive]) as (web, port):
        tab.goto(f"http://127.0.0.1:{port}/")
        expect(tab.locator("#link")).to_have_text("live")
        for observation in course(0.42, 0.42, *[0.0] * 6, 0.1, 0.8, *[0.0] * 6):
            web.hop(observation)
        web.event(sound(1, 0.97))
        web.event(sound(2, 0.5, type="start", duration_s=None))
        tab.locator("#threshold-dog").fill("0.6")
        tab.locator("#table-details summary").click()
        item(tab, sound(1, 0.97).id).locator("button.sound").click()
        expect(tab.locator(".more-of")).to_be_visible()
        assert violations(tab) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
    context.close()
