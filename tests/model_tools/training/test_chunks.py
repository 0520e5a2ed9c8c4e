from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from aed_daemon.errors import AedError
from aed_daemon.spec import YAMNET_256 as SPEC
from model_tools.data.clip import Clip
from model_tools.training import bank
from model_tools.training.chunks import FeedSource, chunks
from model_tools.training.feed import FeedRecipe
from tests.model_tools.training.banks import RATE, bark

RECIPE = FeedRecipe()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FeedSource:
    folder = tmp_path_factory.mktemp("clips")
    soundfile.write(folder / "dog.wav", bark(0.5, 0.4, 2.0), RATE)
    recipe = bank.BankRecipe(clean=1, channelled=0, warped=0, synthetic=250)
    made = bank.make([Clip(folder / "dog.wav", "dog", 1, "a")], recipe, SPEC, folder)
    return FeedSource(made, [0], [True], [("", "set")], 2, SPEC)


@pytest.mark.parametrize("first", [1, 3])
def test_chunks_of_other_processes_are_the_same_and_in_order(source: FeedSource, first: int) -> None:
    made = list(chunks(source, RECIPE, count=4, first=first, size=8, seed=5, processes=2))
    assert len(made) == 5 - first
    for number, (patches, labels) in enumerate(made, start=first):
        expected = source.feed(replace(RECIPE, seed=5)).chunk(number, 8)
        np.testing.assert_array_equal(patches, expected[0])
        np.testing.assert_array_equal(labels, expected[1])


def test_after_the_last_there_is_none(source: FeedSource) -> None:
    assert list(chunks(source, RECIPE, count=1, first=2, size=8, seed=5)) == []


_TRAINER = """
import sys, time
from pathlib import Path
from aed_daemon.spec import YAMNET_256
from model_tools.training.chunks import FeedSource, chunks
from model_tools.training.feed import FeedRecipe

if __name__ == "__main__":
    source = FeedSource(Path(sys.argv[1]), [0], [True], [("", "set")], 2, YAMNET_256)
    feed = chunks(source, FeedRecipe(), count=99, first=1, size=4, seed=1)
    next(feed)
    print("fed", flush=True)
    time.sleep(60)
"""


def test_when_the_trainer_is_killed_the_maker_of_crops_ends_too(source: FeedSource, tmp_path: Path) -> None:
    script = tmp_path / "trainer.py"
    script.write_text(_TRAINER)
    command = [sys.executable, str(script), str(source.bank)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as trainer:
        assert trainer.stdout is not None
        assert trainer.stdout.readline() == b"fed\n"
        children = psutil.Process(trainer.pid).children(recursive=True)
        assert children
        trainer.kill()
        _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []


def test_a_process_that_dies_is_told(source: FeedSource, tmp_path: Path) -> None:
    with pytest.raises(AedError, match="the process that makes the crops has died"):
        list(chunks(replace(source, bank=tmp_path), RECIPE, count=1, first=1, size=1, seed=1))
