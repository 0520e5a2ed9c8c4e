"""Retention: how many clips there may be, how old, and how much of the disk stays free."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from aed_daemon.clips.folder import SUFFIXES, ClipFolder, time_of

_LOOK_AGAIN_S = 600.0
"""The folder is read anew after so long: others may have deleted or added clips."""

_ABANDONED_S = 3_600.0
"""A file that was begun so long ago will never be finished: no clip is that long."""


class Retention:
    """Deletes the oldest clips.

    The age of a clip is that of its sound, as its name says. Only files that are named as clips
    are ever deleted, a clip's files together.

    Parameters
    ----------
    folder : ClipFolder
        The clips.
    max_age_s : float
        0: none is too old.
    max_clips : int
        Most clips.
    min_free_bytes : int
        Free space on the disk, for those who may not write into its reserve.
    clock : callable
        Seconds since 1970.
    monotonic : callable
        Monotonic seconds.

    Attributes
    ----------
    deleted : int
        Clips deleted since the start.
    """

    def __init__(
        self,
        folder: ClipFolder,
        *,
        max_age_s: float,
        max_clips: int,
        min_free_bytes: int,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._max_age_s, self._max_clips, self._min_free = max_age_s, max_clips, min_free_bytes
        self._clock, self._monotonic = clock, monotonic
        self._clips: dict[str, str] = {}  # the folder of each; there may be many
        self._looked_s: float | None = None
        self.deleted = 0

    @property
    def clips(self) -> int:
        """How many clips there were at the last look, with those since."""
        return len(self._clips)

    def add(self, identity: str, path: Path) -> None:
        """Take that a file of a clip is there now."""
        self._clips[identity] = sys.intern(str(path.parent))

    def enforce(self, need_bytes: int = 0, need_clips: int = 0) -> None:
        """Delete what is too much once so many bytes and clips are added.

        Raises
        ------
        OSError
            ENOSPC where nothing is left to delete and there is still too little room, and what a
            disk says on which nothing can be deleted.
        """
        now_s = self._monotonic()
        if self._looked_s is None or now_s - self._looked_s >= _LOOK_AGAIN_S:
            self._look()
        if self._clips and self._is_too_much(min(self._clips), need_clips):
            for identity in sorted(self._clips):
                if not self._is_too_much(identity, need_clips):
                    break
                self._delete(identity)
        if self._short(need_bytes):
            self._make_room(need_bytes)

    def _is_too_much(self, oldest: str, need_clips: int) -> bool:
        too_old = 0 < self._max_age_s < self._clock() - time_of(oldest)
        return too_old or len(self._clips) + need_clips > self._max_clips

    def _make_room(self, need_bytes: int) -> None:
        """Delete the oldest until there is room; look for others once, where these are not enough."""
        for look_again in (True, False):
            for identity in sorted(self._clips):
                self._delete(identity)
                if not self._short(need_bytes):
                    return
            if look_again:
                self._look()
        missing_mb = (self._min_free + need_bytes) / 1e6
        raise OSError(errno.ENOSPC, f"less than {missing_mb:.1f} MB are free", str(self._folder.root))

    def _short(self, need_bytes: int) -> bool:
        try:
            disk = os.statvfs(self._folder.root)
        except FileNotFoundError:  # nothing has been recorded yet
            return False
        return disk.f_bavail * disk.f_frsize - need_bytes < self._min_free

    def _delete(self, identity: str) -> None:
        for suffix in SUFFIXES:
            self._folder.delete(Path(self._clips[identity], identity + suffix))
        del self._clips[identity]
        self.deleted += 1

    def _look(self) -> None:
        self._looked_s = self._monotonic()
        self._clips = {}
        for file in self._folder.files():
            self.add(file.id, file.path)
        for path in self._folder.partials():
            try:
                if self._clock() - path.stat().st_mtime > _ABANDONED_S:
                    self._folder.delete(path)
            except FileNotFoundError:
                continue
