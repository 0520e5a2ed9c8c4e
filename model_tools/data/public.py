"""Data from its public source: ESC-10's archive, and the published backbone.

The addresses have not been tried: where this was written there was no way to them. What they give is
checked against hashes that were computed from copies of the same files.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from aed_daemon.errors import AedError
from model_tools.data.disk import told
from model_tools.data.download import Progress, download, sha256_of
from model_tools.data.esc10 import LICENCES_FILE

ESC10_URL = "https://github.com/karolpiczak/ESC-10/archive/master.zip"
"""Of the archive, about 30 MB; its size is not told beforehand. Not tried."""

BACKBONE_URL = (
    "https://github.com/STMicroelectronics/stm32ai-modelzoo-services/raw/main/"
    "audio_event_detection/src/models/yamnet/yamnet_256_f32.h5"
)
"""Of the published Yamnet-256, 0.6 MB, Apache-2.0. Not tried."""

BACKBONE_SHA256 = "dfa6066b3f3bece880e9813b05cffb6a8328fe3da832f62401ce553dd380d2b3"

HASHES = "esc10.sha256"
"""SHA-256 of the 400 clips, as `sha256sum` writes them; to check a folder: sha256sum -c esc10.sha256."""


def esc10_hashes() -> dict[str, str]:
    """Return the hash of each clip of ESC-10, by its path: `001 - Dog bark/1-100032-A.ogg`."""
    lines = (files("model_tools.data") / HASHES).read_text(encoding="utf-8").splitlines()
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def check_files(root: Path, hashes: dict[str, str], step: Callable[[], None] = lambda: None) -> None:
    """Compare the files of a folder with their hashes.

    Raises
    ------
    AedError
        Naming the first file that is missing or differs, and how many do.
    """
    wrong = []
    for name, digest in sorted(hashes.items()):
        path = root / name
        if not path.is_file():
            wrong.append((path, "nothing", digest))
        elif (got := sha256_of(path)) != digest:
            wrong.append((path, f"{got[:16]}…", digest))
        step()
    if wrong:
        path, got, digest = wrong[0]
        raise AedError(
            f"{len(wrong)} of {len(hashes)} files are missing or differ from those that this project knows",
            where=str(path),
            expected=f"sha256 {digest[:16]}…",
            got=got,
            hint="The source may have a new edition; figures measured on it would not compare.",
        )


def fetch_esc10(
    out: Path,
    url: str = ESC10_URL,
    progress: Progress = lambda *_: None,
    step: Callable[[], None] = lambda: None,
    hashes: dict[str, str] | None = None,
) -> Path:
    """Download ESC-10 to OUT/esc10, each clip checked; return that folder.

    A folder that is there already and whole is kept. The archive is resumed if it was cut off.

    Raises
    ------
    AedError
        If the download fails, the archive is damaged, or a clip is missing or another.
    """
    hashes = esc10_hashes() if hashes is None else hashes
    final = out / "esc10"
    if final.is_dir():
        check_files(final, hashes, step)
        return final
    archive = out / "ESC-10.zip"
    if not archive.exists():
        download(url, archive, progress=progress)
    with told(out), TemporaryDirectory(dir=out, prefix=".esc10-") as name:
        unpacked = Path(name) / "esc10"
        _unzip(archive, unpacked, set(hashes))
        check_files(unpacked, hashes, step)
        unpacked.replace(final)
    archive.unlink()
    return final


def _unzip(archive: Path, into: Path, wanted: set[str]) -> None:
    """Unpack what is wanted, and the licences, without the folder that GitHub puts around all."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                name = PurePosixPath(*PurePosixPath(entry.filename).parts[1:]).as_posix()
                if name not in wanted and name != LICENCES_FILE:
                    continue
                target = into / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(entry) as stream, target.open("wb") as file:
                    shutil.copyfileobj(stream, file)
    except (zipfile.BadZipFile, EOFError) as error:
        archive.unlink()
        raise AedError(
            "a damaged archive",
            where=str(archive),
            expected="a zip file",
            got=str(error),
            hint="It has been deleted: fetch again.",
        ) from None
    into.mkdir(exist_ok=True)


def fetch_backbone(
    out: Path,
    url: str = BACKBONE_URL,
    progress: Progress = lambda *_: None,
    sha256: str | None = None,
) -> Path:
    """Download the published Yamnet-256 to OUT/models, checked; return the file.

    Raises
    ------
    AedError
        If the download fails or gives another file.
    """
    sha256 = sha256 or BACKBONE_SHA256
    target = out / "models" / "yamnet_256_f32.h5"
    if not target.is_file():
        download(url, target, sha256=sha256, progress=progress)
    check_files(target.parent, {target.name: sha256})
    return target
