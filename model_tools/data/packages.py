"""Real recordings from Debian packages: downloaded, unpacked, listed; nothing is installed.

Each package leaves a folder under CACHE/packages with its audio files and `index.json`: of each file
its licence, its length, its peak and a hash of its sound. What of it is used, and for what, is decided
when clips are listed (`package_table`, `screening`), so that a change there needs no new download.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from aed_daemon.errors import AedError, AudioError
from model_tools.data.clip import Clip, Part
from model_tools.data.licences import is_free, licence_of, spdx, stanzas
from model_tools.data.package_table import SOURCES, Source
from model_tools.data.screening import class_in_name, words_of
from model_tools.data.unpack import convert, unpack

INDEX = "index.json"
RATE_HZ = 16_000

SHORTEST_S = 0.05
QUIETEST_DBFS = -60.0
"""What never reaches this level is taken for silence."""

_FORMAT = 1
"""Of the index; another is made anew."""


@dataclass(frozen=True)
class Entry:
    """An audio file of a package.

    Attributes
    ----------
    path : str
        In the package; files of an archive follow the archive's name.
    file : str
        On disk, relative to the package's folder.
    licence : str
        As its copyright file says, "unknown" without a machine-readable one.
    duration_s, peak_dbfs : float
        Of the sound as the daemon decodes it.
    sound : str
        Hash of the decoded samples.
    error : str
        Why it cannot be decoded, else "".
    """

    path: str
    file: str
    licence: str
    duration_s: float = 0.0
    peak_dbfs: float = -200.0
    sound: str = ""
    error: str = ""


@dataclass(frozen=True)
class Left:
    """A file that was left out, and why."""

    package: str
    path: str
    why: str


def folder(cache: Path) -> Path:
    """Return where packages are kept."""
    return cache / "packages"


def is_fetched(package: str, cache: Path) -> bool:
    """Return whether a package has been unpacked and listed."""
    try:
        return bool(json.loads((folder(cache) / package / INDEX).read_text())["format"] == _FORMAT)
    except (OSError, ValueError, KeyError):
        return False


def fetch(package: str, cache: Path) -> None:
    """Download a package with apt-get, unpack its audio files, list them, and drop the download.

    Raises
    ------
    AedError
        If there is no apt-get, no such package, no network, no space, or no ffmpeg where it is needed.
    """
    root = folder(cache)
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{package}-", dir=root) as name:
        work = Path(name)
        add(package, download(package, work), cache)


def download(package: str, into: Path) -> Path:
    """Download the .deb of a package; apt checks it against the archive's signed hashes."""
    if shutil.which("apt-get") is None:
        raise AedError(
            "cannot download Debian packages",
            where=package,
            expected="apt-get",
            got="a system without it",
            hint="Fetch on Debian or in a container of it (docker run debian:12), and copy cache/packages.",
        )
    # As root apt would want to download as another user, who may not write here.
    command = ["apt-get", "--quiet", "-o", "APT::Sandbox::User=root", "download", package]
    done = subprocess.run(command, cwd=into, capture_output=True, text=True, check=False)
    found = sorted(into.glob("*.deb"))
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        raise AedError(
            "the package cannot be downloaded",
            where=package,
            got=(lines or ["nothing"])[0].removeprefix("E: "),
            hint="Try `apt-get update`; the table of sources is for Debian 12.",
        )
    return found[0]


def add(package: str, deb: Path, cache: Path) -> None:
    """Unpack a .deb under CACHE/packages and list what it holds."""
    root = folder(cache)
    root.mkdir(parents=True, exist_ok=True)
    final = root / package
    with TemporaryDirectory(prefix=f".{package}-", dir=root) as name:
        work = Path(name) / package
        paths = unpack(deb, work)
        copyright_file = work / "copyright"
        text = copyright_file.read_text(errors="replace") if copyright_file.exists() else ""
        known = stanzas(text)
        entries = [examined(Entry(path, file, licence_of(path, known)), work) for path, file in paths]
        record = {
            "format": _FORMAT,
            "package": package,
            "version": deb.stem.split("_")[1] if "_" in deb.stem else "",
            "deb_sha256": _sha256(deb),
            "files": [asdict(entry) for entry in entries],
        }
        (work / INDEX).write_text(json.dumps(record, indent=0))
        if final.exists():
            final.replace(Path(name) / "old")
        work.replace(final)


def examined(entry: Entry, root: Path) -> Entry:
    """Return an entry with what decoding tells; a format that the daemon does not read is converted."""
    from aed_daemon.audio.file import decode

    try:
        file = convert(root, entry.file)
        try:
            samples = decode(root / file, RATE_HZ)
        except AudioError:
            # Oggs without a last page, odd rates, endless headers: ffmpeg is more forgiving.
            file = convert(root, file, anyway=True)
            samples = decode(root / file, RATE_HZ)
    except AudioError as error:
        return Entry(entry.path, entry.file, entry.licence, error=f"{error.what}: {error.got}")
    peak = float(np.max(np.abs(samples), initial=0.0))
    return Entry(
        entry.path,
        file,
        entry.licence,
        round(len(samples) / RATE_HZ, 3),
        round(20.0 * float(np.log10(peak + 1e-10)), 1),
        hashlib.sha256(samples.tobytes()).hexdigest()[:32],
    )


def entries(package: str, cache: Path) -> list[Entry]:
    """Return the files of a fetched package.

    Raises
    ------
    AedError
        If it has not been fetched.
    """
    path = folder(cache) / package / INDEX
    if not is_fetched(package, cache):
        raise AedError(
            "the package has not been fetched",
            where=str(path.parent),
            hint="Run `model-tools fetch negatives`.",
        )
    return [Entry(**entry) for entry in json.loads(path.read_text())["files"]]


def package_clips(
    cache: Path, part: Part, sources: Sequence[Source] = SOURCES
) -> tuple[list[Clip], list[Left]]:
    """Return the clips of a part that have been fetched, and what of these packages is left out.

    A file counts once: a second file with the same sound is left out, whichever package it is in, and
    what is in a part that is measured on is left out of the parts before it.
    """
    clips: list[Clip] = []
    left: list[Left] = []
    seen = sounds_of_later_parts(cache, part, sources)
    for package in dict.fromkeys(source.package for source in sources if source.part == part):
        if not is_fetched(package, cache):
            continue
        mine = [source for source in sources if source.package == package]
        for entry in entries(package, cache):
            source, why = verdict(entry, mine)
            if not why and entry.sound in seen:
                why = f"same sound as {seen[entry.sound]}"
            if why or source is None:
                left.append(Left(package, entry.path, why))
                continue
            seen[entry.sound] = f"{package}: {entry.path}"
            clips.append(
                Clip(
                    folder(cache) / package / entry.file,
                    "",
                    0,
                    f"debian:{package}:{entry.path}",
                    f"debian:{package}",
                    source.licence or spdx(entry.licence),
                    part,
                    source.kind,
                    entry.duration_s,
                )
            )
    return clips, left


def verdict(entry: Entry, sources: Sequence[Source]) -> tuple[Source | None, str]:
    """Return to which source a file belongs, and "" or why it is left out."""
    source = next((one for one in sources if _belongs(entry.path, one)), None)
    if source is None:
        return None, "not of a source"
    if entry.error:
        return source, f"cannot be decoded: {entry.error}"
    if not is_free(source.licence or entry.licence):
        return source, f"licence {entry.licence}"
    if entry.duration_s < SHORTEST_S:
        return source, f"shorter than {SHORTEST_S} s"
    if entry.peak_dbfs < QUIETEST_DBFS:
        return source, "silent"
    words = set(words_of(entry.path)) | {part.lower() for part in Path(entry.path).parts}
    listed = words & set(source.without)
    if listed:
        return source, f"listed: {min(listed)}"
    why = class_in_name(_inside(entry.path)) if source.kind != "speech" else None
    return source, why or ""


def _belongs(path: str, source: Source) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in source.only)


def _inside(path: str) -> str:
    """Return a path without usr/share/games and the like: those words say nothing of the sound."""
    for prefix in ("usr/share/games/", "usr/share/sounds/", "usr/share/", "usr/lib/"):
        if path.startswith(prefix):
            return path[len(prefix) :]
    return path


def sounds_of_later_parts(cache: Path, part: Part, sources: Sequence[Source]) -> dict[str, str]:
    """Return the sounds that are measured on after this part: hash -> where each is."""
    order: tuple[Part, ...] = ("training", "calibration", "test")
    later = order[order.index(part) + 1 :]
    return {
        entry.sound: f"{package}: {entry.path}"
        for package in dict.fromkeys(source.package for source in sources if source.part in later)
        if is_fetched(package, cache)
        for entry in entries(package, cache)
        if entry.sound
    }


def fetch_all(
    cache: Path,
    names: Iterable[str],
    started: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[str, str]]:
    """Fetch what is missing; yield each package and "" or why it could not be had.

    Packages that are there already are not fetched again, so an interrupted run goes on.
    """
    for package in names:
        started(package)
        if is_fetched(package, cache):
            yield package, ""
            continue
        try:
            fetch(package, cache)
        except AedError as error:
            yield package, str(error)
        else:
            yield package, ""


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
