"""ClipFolder: where clips lie and what they are called; knows its own files from all others."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

SOUND_SUFFIXES = (".flac", ".wav")
FACTS_SUFFIX, PICTURE_SUFFIX, PARTIAL_SUFFIX = ".json", ".png", ".partial"
SUFFIXES = (*SOUND_SUFFIXES, FACTS_SUFFIX, PICTURE_SUFFIX)

FOLDER_MODE, FILE_MODE = 0o700, 0o600

_SOURCE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_CROCKFORD = {letter: value for value, letter in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
_PLAIN = 64


def source_folder(source: str) -> str:
    """Return a source's name as the name of a folder: as it is, or what can be kept of it and a digest."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", source)[:_PLAIN]
    if plain == source and _SOURCE.fullmatch(source):
        return source
    digest = hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{plain.lstrip('.') or '_'}-{digest}"


def time_of(identity: str) -> float:
    """Return when a sound began, seconds since 1970: its ULID begins with that."""
    milliseconds = 0
    for letter in identity[:10]:
        milliseconds = milliseconds << 5 | _CROCKFORD[letter]
    return milliseconds / 1_000


def _day(identity: str) -> str | None:
    try:
        return datetime.fromtimestamp(time_of(identity), UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):  # the year 10000, or one that time_t has not
        return None


class OwnFile(NamedTuple):
    """A file that belongs to a clip.

    Attributes
    ----------
    id : str
        Of the sound.
    path : Path
        Where it is.
    """

    id: str
    path: Path


class ClipFolder:
    """A folder of clips: SOURCE/YYYY-MM-DD/ID.SUFFIX, days in UTC.

    Parameters
    ----------
    root : Path
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @staticmethod
    def name(source: str, identity: str, suffix: str) -> str:
        """Return the path of a clip below the folder."""
        return f"{source_folder(source)}/{_day(identity) or '0000-00-00'}/{identity}{suffix}"

    def resolve(self, relative: str) -> Path | None:
        """Return the file that a path below the folder names, if it is a clip's own and there.

        Whatever is asked for, nothing outside the folder is found, and no link is followed.
        """
        parts = relative.split("/")
        if len(parts) != 3:
            return None
        source, day, file = parts
        identity, dot, suffix = file.partition(".")
        names_it = _SOURCE.fullmatch(source) and _DATE.fullmatch(day) and _ID.fullmatch(identity)
        if not names_it or dot + suffix not in SUFFIXES:
            return None
        path = self.root
        for part, is_kind in zip(parts, (stat.S_ISDIR, stat.S_ISDIR, stat.S_ISREG), strict=True):
            path = path / part
            try:
                if not is_kind(path.lstat().st_mode):
                    return None
            except OSError:
                return None
        return path

    def find(self, identity: str) -> Path | None:
        """Return the recording of a sound, whichever source it is of; None where there is none."""
        day = _day(identity) if _ID.fullmatch(identity) else None
        if day is None:
            return None
        for source in self._folders(self.root, _SOURCE):
            for suffix in SOUND_SUFFIXES:
                found = self.resolve(f"{source.name}/{day}/{identity}{suffix}")
                if found is not None:
                    return found
        return None

    def files(self) -> Iterator[OwnFile]:
        """Yield every file that belongs to a clip, unfinished ones not; others are none of our business."""
        for path in self._all():
            identity, dot, suffix = path.name.partition(".")
            if dot + suffix in SUFFIXES and _ID.fullmatch(identity):
                yield OwnFile(identity, path)

    def partials(self) -> Iterator[Path]:
        """Yield the files that somebody has begun to write."""
        for path in self._all():
            identity, dot, suffix = path.name.partition(".")
            if (dot + suffix).endswith(PARTIAL_SUFFIX) and _ID.fullmatch(identity):
                yield path

    def _all(self) -> Iterator[Path]:
        for source in self._folders(self.root, _SOURCE):
            for day in self._folders(Path(source), _DATE):
                try:
                    with os.scandir(day) as entries:
                        found = [Path(entry) for entry in entries if entry.is_file(follow_symlinks=False)]
                except OSError:  # somebody has just deleted it
                    continue
                yield from found

    @staticmethod
    def _folders(parent: Path, named: re.Pattern[str]) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(parent) as entries:
                return [e for e in entries if named.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
        except OSError:
            return []

    def delete(self, path: Path) -> bool:
        """Delete a clip's file, and its folders where they are empty then; False: it is still there.

        Raises
        ------
        OSError
            For a disk on which nothing can be deleted.
        """
        try:
            path.unlink()
        except FileNotFoundError:
            return True
        except IsADirectoryError:  # somebody has put one there: not ours
            return False
        for folder in (path.parent, path.parent.parent):
            try:
                folder.rmdir()
            except OSError:  # not empty, or somebody's working directory
                break
        return True

    def make(self, relative: str = "") -> None:
        """Make the folders that a path below the root needs, for the owner alone; or OSError."""
        folder = self.root
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        for part in relative.split("/")[:-1]:
            folder = folder / part
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
