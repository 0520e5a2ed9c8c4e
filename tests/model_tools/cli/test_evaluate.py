"""`model-tools evaluate --all` on a tiny data set, a network that claims not to have seen it, and minutes."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aed_daemon.errors import AedError
from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.cli import main
from model_tools.data.esc10 import SLUGS
from model_tools.evaluation.accuracy import Bench, open_rotations
from model_tools.evaluation.card import BEGIN, END, stated, tables, write_card
from model_tools.evaluation.clip_scores import fold_clips
from model_tools.evaluation.listening import Listeners, of_samples
from model_tools.evaluation.networks import read_network
from tests.model_tools.evaluation.test_trace import bursts
from tests.model_tools.export.compilers import need_host

KEYS: dict[str, Any] = {
    "esc10": {
        family: dict.fromkeys(("float", "int8"), ("clip_accuracy", "n", "ci95", "per_fold"))
        for family in ("scratch", "distilled", "pretrained")
    },
    "robust": dict.fromkeys(("phone_8k", "codec", "reverb", "quiet_30db", "snr_10db"), ("clip_accuracy",)),
    "open_set": ("unknown_clips_firing", "known_clip_recall", "auroc", "n"),
    "deployed": (
        *("false_alarms", "hours_real", "hours_synthetic", "fa_per_hour_upper95"),
        *("event_f1_macro", "clip_recall", "latency_s_p50", "latency_s_p95"),
    ),
    "quiet": ("microphone_noise", "hum", "tones", "speech"),
}
"""Those of the issue, in full."""


def copied(path: Path, held_out: str) -> Path:
    """Copy the shipped network and let its manifest say that it left something out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(DEFAULT_MODEL, path)
    values = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    values["provenance"]["held_out"] = held_out
    values["file"] = path.name
    path.with_suffix(".json").write_text(json.dumps(values))
    return path


@pytest.fixture(scope="module")
def evaluated(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluated")
    for fold in (1, 2):
        copied(root / "networks" / "distilled" / f"any-{fold}.tflite", f"ESC-10 fold {fold}")
    default = copied(root / "default.tflite", "")
    options = ["--data", str(tiny_data), "--cache", str(root / "cache"), "--runs", str(root / "none")]
    options += ["--networks", str(root / "networks"), "--default", str(default), "--hours", "0.0167"]
    options += ["--out", str(root / "accuracy.json"), "--report", str(root / "accuracy.html")]
    (root / "CARD.md").write_text(f"# Card\n\n{BEGIN}\nold figures\n{END}\n\nAn end.\n")
    options += ["--card", str(root / "CARD.md")]
    assert main(["evaluate", "--all", *options]) == 0
    return root


def assert_keys(found: Any, expected: Any) -> None:
    if found is None:
        return
    assert set(found) == set(expected)
    if isinstance(expected, dict):
        for key, inner in expected.items():
            assert_keys(found[key], inner)


def test_the_figures_have_the_keys_that_were_promised(evaluated: Path) -> None:
    figures = json.loads((evaluated / "accuracy.json").read_text())
    assert_keys({key: figures[key] for key in KEYS}, KEYS)
    assert set(figures) == {*KEYS, "details", "reasons"}


def test_what_was_measured_is_told_and_what_was_not_is_null_with_a_reason(evaluated: Path) -> None:
    figures = json.loads((evaluated / "accuracy.json").read_text())
    distilled = figures["esc10"]["distilled"]["int8"]
    assert distilled["n"] == 20
    assert sorted(distilled["per_fold"]) == ["1", "2"]
    assert figures["esc10"]["scratch"] == {"float": None, "int8": None}
    assert figures["details"]["recipe"] == "distilled"
    assert figures["robust"]["codec"]["clip_accuracy"] == min(
        figures["details"]["robust"][channel]["clip_accuracy"] for channel in ("opus_12k", "gsm")
    )
    assert figures["details"]["events"]["onset"]["events"] == 20
    assert figures["deployed"]["hours_synthetic"] == pytest.approx(0.1, abs=1e-3)
    assert 0.0 < figures["deployed"]["hours_real"] < 0.01
    assert figures["open_set"] == dict.fromkeys(KEYS["open_set"])
    assert figures["quiet"] == dict.fromkeys(KEYS["quiet"])
    reasons = figures["reasons"]
    assert {"esc10.scratch", "esc10.pretrained", "esc10.distilled.float", "open_set", "quiet.hum"} <= set(
        reasons
    )
    assert "no network for fold 3, 4, 5" in " ".join(reasons.values())


class Resources(HTMLParser):
    """Collects what a page refers to, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "data", "srcset"}]


def test_the_report_is_one_file_with_its_pictures_in_it(evaluated: Path) -> None:
    page = (evaluated / "accuracy.html").read_text()
    resources = Resources(page)
    assert len(resources.links) >= 4
    for link in resources.links:
        kind, _, data = link.partition(",")
        assert kind == "data:image/png;base64"
        assert b64decode(data).startswith(b"\x89PNG\r\n")
    assert not {"script", "link", "iframe"} & set(resources.tags)
    assert "url(" not in page
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)
    assert "prefers-color-scheme: dark" in page
    for title in (
        "Clips of ESC-10",
        "Through other channels",
        "As deployed",
        "False alarms",
        "What is missing",
    ):
        assert f"<h2>{title}" in page


def test_c_is_measured_beside_the_network_that_it_was_made_from(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_host()
    model = copied(tmp_path / "networks" / "x.tflite", "ESC-10 fold 1")
    options = ["--data", str(tiny_data), "--cache", str(tmp_path / "cache"), "--engine", "tflite"]
    assert main(["evaluate", "--backend", "c", "--model", str(model), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["c"]["n"] == 10
    assert found["c"] == found["int8_tflite"]
    assert len(list((tmp_path / "cache" / "native").glob("*/x.*.so"))) == 1
    assert {path.suffix for path in model.parent.iterdir()} == {".tflite", ".json"}


def test_listeners_run_the_c_in_place_of_a_runtime(tmp_path: Path) -> None:
    need_host()
    model = copied(tmp_path / "x.tflite", "")
    sound = of_samples("bursts", "bursts", bursts(6.0, 3), real=True)
    with Listeners(1, "native", natives=tmp_path / "cache") as c, Listeners(1, "tflite") as tflite:
        assert c.engine(model) == ("native", True)
        (ours,), (theirs,) = (list(listeners.listen(model, [sound])) for listeners in (c, tflite))
    differing = np.abs(ours.trace.scores.astype(int) - theirs.trace.scores.astype(int))
    assert differing.max() <= 1  # tflite-runtime's own kernels round ties otherwise than the reference
    assert (differing > 0).any(axis=1).mean() < 0.1
    assert ours.events == theirs.events


@pytest.mark.parametrize(("backend", "needs"), [("float", "--run"), ("int8", "--model"), ("c", "--model")])
def test_a_backend_needs_its_network(backend: str, needs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--backend", backend]) == 1
    assert f"Give {needs}, or --all." in capsys.readouterr().err


def test_the_open_set_hears_the_left_out_fold_and_the_validation_fold(
    tiny_data: Path, tmp_path: Path
) -> None:
    network = read_network(copied(tmp_path / "x.tflite", "ESC-10 fold 1, ESC-10 fold 2"))
    clips = fold_clips(tiny_data / "esc10", tmp_path / "cache")
    with Listeners(1) as listeners:
        (found,) = open_rotations(Bench(tiny_data, tmp_path / "cache", listeners, clips), [network])
    assert [clip.name[0] for clip in found.clips] == ["1"] * 10
    assert [clip.name[0] for clip in found.validation] == ["2"] * 10
    assert {clip.slug for clip in found.clips} == set(SLUGS)
    assert all(clip.known for clip in found.clips)


def test_the_card_gets_the_figures_and_keeps_its_text(evaluated: Path) -> None:
    figures = json.loads((evaluated / "accuracy.json").read_text())
    card = (evaluated / "CARD.md").read_text()
    assert card.startswith("# Card\n\n")
    assert card.endswith("\n\nAn end.\n")
    assert "old figures" not in card
    assert stated(card) == tables(figures)
    share = figures["esc10"]["distilled"]["int8"]["clip_accuracy"]
    assert f"| *distilled* | {100 * share:.2f} % (" in card
    assert "| event F1 on soundscapes at 6 to 20 dB" in card
    assert f"| {figures['deployed']['event_f1_macro']:.3f} |" in card
    write_card(evaluated / "CARD.md", figures)
    assert (evaluated / "CARD.md").read_text() == card


def test_a_card_without_a_place_for_figures_is_named(tmp_path: Path) -> None:
    (tmp_path / "CARD.md").write_text("# Card\n")
    with pytest.raises(AedError, match="no place for the figures") as caught:
        write_card(tmp_path / "CARD.md", {})
    assert "CARD.md" in str(caught.value)


def test_the_shipped_card_states_the_recorded_figures() -> None:
    root = Path(__file__).parents[3]
    figures = json.loads((root / "benchmarks" / "accuracy.json").read_text())
    assert stated((root / "MODEL_CARD.md").read_text()) == tables(figures)
