from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aed_daemon.errors import ModelError
from model_tools.data.esc10 import SLUGS
from model_tools.evaluation.networks import find_networks, of_family, read_network, rotations
from tests.manifests import MODEL, manifest_values


def write(path: Path, held_out: str, seed: int = 1, without: tuple[str, ...] = (), **metrics: Any) -> Path:
    slugs = [slug for slug in SLUGS if slug not in without]
    values = manifest_values()
    values["labels"] = [{"slug": slug, "label": slug} for slug in (*slugs, "background")]
    values["output"]["shape"] = [1, len(slugs) + 1]
    values["provenance"] |= {"held_out": held_out, "seed": seed}
    values |= {"metrics": metrics, "file": path.name}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(MODEL)
    path.with_suffix(".json").write_text(json.dumps(values))
    return path


def test_what_was_left_out_is_read_from_the_manifest(tmp_path: Path) -> None:
    plain = read_network(write(tmp_path / "folds" / "x.tflite", "ESC-10 fold 3", seed=7))
    assert (plain.fold, plain.validation_fold, plain.strangers, plain.seed) == (3, 0, (), 7)
    assert (plain.family, plain.known, plain.name) == ("scratch", SLUGS, "folds/x")
    chosen = read_network(write(tmp_path / "y.tflite", "ESC-10 fold 2, ESC-10 fold 5"))
    assert (chosen.fold, chosen.validation_fold) == (2, 5)
    shipped = read_network(write(tmp_path / "z.tflite", ""))
    assert shipped.fold == 0


def test_classes_that_are_no_outputs_are_strangers(tmp_path: Path) -> None:
    held_out = "ESC-10 fold 1, class dog, class rain"
    network = read_network(write(tmp_path / "r.tflite", held_out, without=("dog", "rain")))
    assert network.strangers == ("dog", "rain")
    assert len(network.known) == 8
    with pytest.raises(ModelError, match="do not fit together"):
        read_network(write(tmp_path / "s.tflite", held_out, without=("dog",)))


def test_families_come_from_the_manifest_or_the_folder(tmp_path: Path) -> None:
    for fold in (2, 1):
        for seed in (1, 2):
            write(tmp_path / "distilled" / f"a{fold}{seed}.tflite", f"ESC-10 fold {fold}", seed)
    write(tmp_path / "distilled" / "b.tflite", "ESC-10 fold 1", 3, recipe={"family": "pretrained"})
    write(tmp_path / "openset" / "c.tflite", "ESC-10 fold 4, class dog", 1, without=("dog",))
    shipped = write(tmp_path / "shipped.tflite", "")
    networks = find_networks([tmp_path, shipped])
    assert len(networks) == 7
    seeds = of_family(networks, "distilled")
    assert {seed: [n.fold for n in found] for seed, found in seeds.items()} == {1: [1, 2], 2: [1, 2]}
    assert [n.fold for n in of_family(networks, "pretrained")[3]] == [1]
    assert of_family(networks, "scratch") == {}
    assert [n.strangers for n in rotations(networks)] == [("dog",)]


def test_a_model_without_its_manifest_is_told(tmp_path: Path) -> None:
    (tmp_path / "lonely.tflite").write_bytes(MODEL)
    with pytest.raises(ModelError, match="no such manifest"):
        find_networks([tmp_path])
