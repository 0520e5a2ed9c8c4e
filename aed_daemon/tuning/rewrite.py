"""Writing thresholds into a configuration: comments stay, and what would not be valid is not written."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aed_daemon.config_file import load_config, read_text
from aed_daemon.errors import ConfigError


@dataclass(frozen=True)
class Rewrite:
    """A configuration, as it is and as it is to be.

    Attributes
    ----------
    path : Path
        The file.
    before, after : str
        Its text.
    """

    path: Path
    before: str
    after: str

    def diff(self) -> str:
        """Return what changes, as a unified diff."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        name = self.path.name
        return "".join(difflib.unified_diff(before, after, name, f"{name} (proposed)"))


def rewritten(path: Path, thresholds: Mapping[str, float]) -> Rewrite:
    """Return a configuration with `threshold_on` of these classes; nothing is written yet.

    A `threshold_off` that the file itself puts above the new one is lowered to it.

    Raises
    ------
    ConfigError
        The file cannot be read, or would not be valid with them.
    """
    try:
        import tomlkit
        from tomlkit.exceptions import TOMLKitError
    except ImportError:
        text = ", ".join(f"{slug} {threshold:g}" for slug, threshold in thresholds.items())
        raise ConfigError(
            "tomlkit is not installed, which keeps comments",
            hint=f"Install it, or set threshold_on in [detection.classes.…] by hand: {text}.",
        ) from None
    before = read_text(path)
    try:
        document: Any = tomlkit.parse(before)
        detection = _table(document, "detection")
        classes = _table(detection, "classes", tomlkit.table(is_super_table=True))
        inherited = detection.get("defaults", {}).get("threshold_off")
        for slug, threshold in thresholds.items():
            own = _table(classes, slug)
            own["threshold_on"] = threshold
            off = own.get("threshold_off", inherited)
            if off is not None and off > threshold:
                own["threshold_off"] = threshold
        after = tomlkit.dumps(document)
    except (TOMLKitError, AttributeError, TypeError) as error:
        raise ConfigError(f"thresholds cannot be written into it ({error})", where=str(path)) from None
    return Rewrite(path, before, after)


def write(rewrite: Rewrite) -> None:
    """Put it into place: whole or not at all, with the owner and mode that the file has.

    Raises
    ------
    ConfigError
        It would not be valid, cannot be written, or has changed meanwhile.
    """
    path = rewrite.path.resolve()  # a link stays one
    partial = path.with_name(f".{path.name}.partial")
    if read_text(path) != rewrite.before:
        raise ConfigError("it has changed meanwhile; nothing was written", where=str(rewrite.path))
    try:
        known = path.stat()
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(rewrite.after)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(PermissionError):
            os.chown(partial, known.st_uid, known.st_gid)
        partial.chmod(known.st_mode & 0o7777)
        load_config(partial, os.environ)
        partial.replace(path)
    except OSError as error:
        raise ConfigError(
            f"it cannot be written ({error.strerror})",
            where=str(rewrite.path),
            hint="Run this as the owner of the file.",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _table(parent: Any, name: str, fresh: Any = None) -> Any:
    """Return a table in a document; made where there is none."""
    if name not in parent:
        import tomlkit

        parent[name] = tomlkit.table() if fresh is None else fresh
    return parent[name]
