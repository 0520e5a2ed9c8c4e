"""A private PulseAudio for all tests of a module; this process and its children hear it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pulse_server import PulseServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    with PulseServer(tmp_path_factory.mktemp("pulse")) as running:
        yield running


@pytest.fixture
def pulse(server: PulseServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PULSE_RUNTIME_PATH", "PULSE_SERVER"):
        monkeypatch.setenv(name, server.environment[name])
    if not server.running:  # a test that kills it has failed
        server.start()
    yield server
    server.unload_all()
