"""The broker fixture: without mosquitto the tests skip and say what to install; in CI they fail."""

from __future__ import annotations

import shutil

import pytest

from tests.mosquitto import program


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_broker(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]) -> None:
    def nowhere(*_arguments: object, **_options: object) -> None:
        return None

    monkeypatch.setattr(shutil, "which", nowhere)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="apt-get install mosquitto"):
        program()
