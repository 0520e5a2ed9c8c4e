"""The hub: bounded queues, the oldest dropped, nothing kept for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aed_daemon.web import hub as hub_module
from aed_daemon.web.hub import BEAT, LOST, QUEUE_MESSAGES, Hub


def lines(chunk: bytes) -> list[bytes]:
    return chunk.split(b"\n")[:-1]


async def joined(hub: Hub) -> AsyncIterator[bytes]:
    chunks = hub.chunks(lambda: b"hello\n")
    assert await anext(chunks) == b"hello\n"
    return chunks


def test_messages_come_in_order_and_together() -> None:
    async def run() -> None:
        hub = Hub(2)
        chunks = await joined(hub)
        for number in range(3):
            await asyncio.to_thread(hub.tell, b"%d\n" % number)
        assert await anext(chunks) == b"0\n1\n2\n"
        waiting = asyncio.ensure_future(anext(chunks))
        await asyncio.to_thread(hub.tell, b"later\n")
        assert await waiting == b"later\n"

    asyncio.run(run())


def test_a_slow_viewer_loses_the_oldest_and_is_told() -> None:
    async def run() -> None:
        hub = Hub(2)
        slow, quick = await joined(hub), await joined(hub)
        for number in range(QUEUE_MESSAGES + 5):
            hub.tell(b"%d\n" % number)
            assert await anext(quick) == b"%d\n" % number
        first, rest = (await anext(slow)).split(LOST)
        assert (first, lines(rest)) == (b"", [b"%d" % number for number in range(5, QUEUE_MESSAGES + 5)])
        hub.tell(b"after\n")
        assert await anext(slow) == b"after\n"

    asyncio.run(run())


def test_who_comes_a_little_later_has_what_was_kept() -> None:
    async def run() -> None:
        hub = Hub(2)
        assert not hub.watched
        first = await joined(hub)
        hub.tell(b"sound\n", keep=True)
        hub.tell(b"news\n")
        second = await joined(hub)
        assert await anext(second) == b"sound\n"
        await first.aclose()  # type: ignore[attr-defined] # an async generator
        await second.aclose()  # type: ignore[attr-defined]
        assert (hub.viewers, hub.watched) == (0, True), "a page that is reloaded comes back soon"
        hub.forget()
        third = await joined(hub)
        hub.tell(b"new\n")
        assert await anext(third) == b"new\n"

    asyncio.run(run())


def test_silence_is_told_from_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_BEAT_S", 0.01)

    async def run() -> None:
        assert await anext(await joined(Hub(1))) == BEAT

    asyncio.run(run())


def test_it_is_full_and_it_ends() -> None:
    async def run() -> None:
        hub = Hub(1)
        chunks = await joined(hub)
        assert hub.full
        hub.close()
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)
        assert (hub.viewers, hub.full) == (0, True)

    asyncio.run(run())


def test_telling_after_the_loop_has_gone_does_no_harm() -> None:
    hub = Hub(1)

    async def run() -> None:
        await joined(hub)

    asyncio.run(run())
    hub.tell(b"nobody\n")
    hub.close()
