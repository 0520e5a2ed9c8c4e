"""A data set decoded once: spectrograms by content and features, and a record of what they are.

A folder OUT holds

- `prepared.json`: classes, clips with label, fold, source, licence, and whether what learns from them
  may be passed on;
- `frames-<spec_id>/<key>.f32`: the log-mel frames of one file, float32 (t, n_mels), little-endian, the
  patches being windows of `spec.patch_frames` of them; and `<key>.json`, what is told of the sound.

The key is a hash of the file's bytes and of the decoder, so a file that is renamed or moved is not
decoded again, and one that changes is.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aed_daemon.errors import AedError, AudioError
from aed_daemon.spec import FeatureSpec
from model_tools.data.cache import DECODER
from model_tools.data.checks import check_set, check_sound
from model_tools.data.clip import Clip
from model_tools.data.disk import new_file, write_bytes
from model_tools.data.findings import Finding
from model_tools.data.hearing import Facts, Hearing
from model_tools.data.licences import redistributable

INDEX = "prepared.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Prepared:
    """A clip and its frames.

    Attributes
    ----------
    clip : Clip
        Its file need not be there any more.
    facts : Facts
        What was told of its sound.
    file : Path
        Its frames.
    n_mels : int
        Bands per frame.
    """

    clip: Clip
    facts: Facts
    file: Path
    n_mels: int

    def frames(self) -> NDArray[np.float32]:
        """Return its log-mel frames, float32 (t, n_mels), read from the disk where they are used."""
        if self.file.stat().st_size == 0:
            return np.empty((0, self.n_mels), np.float32)
        return np.memmap(self.file, "<f4", "r").reshape(-1, self.n_mels)


def prepare(
    clips: Sequence[Clip],
    spec: FeatureSpec,
    out: Path,
    step: Callable[[bool], None] = lambda _: None,
) -> tuple[list[Prepared], list[Finding]]:
    """Decode clips into a folder, those that are not there already.

    Parameters
    ----------
    clips : sequence of Clip
        What to decode; one file at a time, one block of it in memory.
    spec : FeatureSpec
        Features of the frames.
    out : Path
        The folder. An interrupted run goes on where it was: every file is whole or not there.
    step : callable
        Told after each clip whether it was decoded now.

    Returns
    -------
    list of Prepared, list of Finding
        Clips that can be decoded, and what is wrong with any. Clips with an error are not left out
        here: that is for the caller to decide.

    Raises
    ------
    AedError
        If the disk is full.
    """
    found: list[Prepared] = []
    findings: list[Finding] = []
    for clip in clips:
        try:
            one, fresh = _one(clip, spec, out)
        except AudioError as error:
            got = f"{error.what}: {error.got}" if error.got else error.what
            remedy = error.hint or "Take it out, or record it again."
            findings.append(Finding("error", str(clip.path), got, remedy))
            fresh = True
        else:
            found.append(one)
            findings += check_sound(clip, one.facts)
        step(fresh)
    findings += check_set([(one.clip, one.facts) for one in found])
    return found, findings


def _one(clip: Clip, spec: FeatureSpec, out: Path) -> tuple[Prepared, bool]:
    folder = out / f"frames-{spec.spec_id}"
    key = key_of(clip.path)
    data, record = folder / f"{key}.f32", folder / f"{key}.json"
    known = _record(record, data, spec)
    if known is not None:
        return Prepared(clip, known, data, spec.n_mels), False
    facts, frames = _decode(clip.path, spec, data)
    stored = {"decoder": DECODER, "spec_id": spec.spec_id, "frames": frames, **asdict(facts)}
    write_bytes(record, json.dumps(stored).encode())
    return Prepared(clip, facts, data, spec.n_mels), True


def _decode(path: Path, spec: FeatureSpec, data: Path) -> tuple[Facts, int]:
    from aed_daemon.features import MelStream

    hearing, stream, frames = Hearing(path, spec.sample_rate_hz), MelStream(spec), 0
    with new_file(data) as file:
        for block in hearing:
            rows = stream.push(block)
            frames += len(rows)
            file.write(rows.astype("<f4", copy=False).tobytes())
    return hearing.facts, frames


def _record(path: Path, data: Path, spec: FeatureSpec) -> Facts | None:
    """Return what an earlier run told of a file, if that and its frames are there and whole."""
    try:
        stored = json.loads(path.read_text())
        whole = data.stat().st_size == stored.pop("frames") * spec.n_mels * 4
        if (stored.pop("decoder"), stored.pop("spec_id")) != (DECODER, spec.spec_id) or not whole:
            return None
        return Facts(**stored)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def key_of(path: Path) -> str:
    """Return what the frames of a file are called: a hash of its bytes and of the decoder.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    digest = hashlib.sha256(DECODER.encode())
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise AudioError(
            "cannot read the file", where=str(path), got=error.strerror or str(error), hint="Check the path."
        ) from None
    return digest.hexdigest()[:32]


def write_index(out: Path, found: Sequence[Prepared], spec: FeatureSpec, **facts: Any) -> dict[str, Any]:
    """Write prepared.json and return it.

    Parameters
    ----------
    found : sequence of Prepared
        What is to be used.
    facts : dict
        Written as it is, beside classes, licences and clips.
    """
    licences = Counter(one.clip.licence for one in found)
    seconds: defaultdict[str, float] = defaultdict(float)
    for one in found:
        seconds[one.clip.slug] += one.facts.duration_s
    counts = Counter(one.clip.slug for one in found)
    index = {
        "schema": _SCHEMA,
        "spec_id": spec.spec_id,
        "decoder": DECODER,
        **facts,
        "classes": {
            slug: {"clips": counts[slug], "seconds": round(seconds[slug], 1)}
            for slug in sorted(counts)
            if slug
        },
        "background": {"clips": counts[""], "seconds": round(seconds[""], 1)},
        "licences": dict(sorted(licences.items())),
        "redistributable": redistributable(licences),
    }
    clips = [
        {
            "file": str(one.clip.path.resolve()),
            "slug": one.clip.slug,
            "fold": one.clip.fold,
            "source": one.clip.source,
            "collection": one.clip.collection,
            "licence": one.clip.licence,
            "frames": one.file.name,
            "facts": asdict(one.facts),
        }
        for one in found
    ]
    write_bytes(out / INDEX, json.dumps({**index, "clips": clips}, indent=1).encode())
    return index


def read_prepared(out: Path, spec: FeatureSpec) -> list[Prepared]:
    """Return what a folder holds.

    Raises
    ------
    AedError
        If there is none, it was made with other features or another decoder, or frames are missing.
    """
    path = out / INDEX
    try:
        index = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise AedError(
            "no prepared data", where=str(path), expected="what `model-tools prepare` writes", got=str(error)
        ) from None
    again = "Run `model-tools prepare` again; what is still good is not decoded anew."
    for name, wanted in (("schema", _SCHEMA), ("spec_id", spec.spec_id), ("decoder", DECODER)):
        if index.get(name) != wanted:
            raise AedError(
                f"prepared with another {name}",
                where=str(path),
                expected=str(wanted),
                got=str(index.get(name)),
                hint=again,
            )
    found = []
    for stored in index["clips"]:
        clip = Clip(
            Path(stored["file"]),
            stored["slug"],
            stored["fold"],
            stored["source"],
            stored["collection"],
            stored["licence"],
            duration_s=stored["facts"]["duration_s"],
        )
        one = Prepared(
            clip, Facts(**stored["facts"]), out / f"frames-{spec.spec_id}" / stored["frames"], spec.n_mels
        )
        if not one.file.exists():
            raise AedError(
                "frames are missing", where=str(one.file), expected=f"those of {clip.path}", hint=again
            )
        found.append(one)
    return found
