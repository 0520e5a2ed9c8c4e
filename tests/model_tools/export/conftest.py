from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from model_tools.export.rules_c import TrackerRules
from model_tools.export.toolchain import host_library
from tests.model_tools.export.compilers import need_host
from tests.model_tools.export.tracker_script import TrackerLibrary, written


@pytest.fixture(scope="session")
def tracker_library(tmp_path_factory: pytest.TempPathFactory) -> TrackerLibrary:
    need_host()

    @cache
    def build(rules: TrackerRules) -> Path:
        folder = tmp_path_factory.mktemp("tracker")
        sources, includes = written(rules, folder)
        return host_library(sources, folder / "tracker.so", includes=includes)

    return build
