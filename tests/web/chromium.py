"""A real browser for the tests and benchmarks of the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()


def watched(page: Page) -> list[str]:
    """Return a list that grows by everything that goes wrong on a page, and by foreign requests."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda line: (
            wrong.append(line.text)
            if line.type == "error" and "ERR_" not in line.text and "Failed to load resource" not in line.text
            else None
        ),
    )
    own = ("http://127.0.0.1:", "data:", "blob:")
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(own) else None)
    return wrong
