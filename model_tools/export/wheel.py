"""The daemon alone as a wheel, so that a bundle can be installed where there is no source of it."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import zipfile
from pathlib import Path

import aed_daemon
from aed_daemon.errors import AedError

_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = {".pyc", ".so"}
"""Made on a machine, for it."""

_TAG = "py3-none-any"
_WHEEL = f"Wheel-Version: 1.0\nGenerator: model-tools\nRoot-Is-Purelib: true\nTag: {_TAG}\n"


def daemon_wheel() -> tuple[str, bytes]:
    """Return the name and the bytes of a wheel with `aed_daemon`, the same bytes for the same source.

    Raises
    ------
    AedError
        If the package has no metadata: it was not installed.
    """
    try:
        metadata = importlib.metadata.metadata("aed-daemon")
    except importlib.metadata.PackageNotFoundError:
        raise AedError(
            "aed-daemon is not installed, so its dependencies are unknown", hint="pip install -e ."
        ) from None
    version = aed_daemon.__version__
    package = Path(aed_daemon.__file__).parent
    paths = [p for p in sorted(package.rglob("*")) if p.is_file() and p.suffix not in _LEFT_OUT]
    files = {f"aed_daemon/{p.relative_to(package).as_posix()}": p.read_bytes() for p in paths}
    info = f"aed_daemon-{version}.dist-info"
    needs = metadata.get_all("Requires-Dist") or []
    lines = [
        "Metadata-Version: 2.1",
        "Name: aed-daemon",
        f"Version: {version}",
        f"Summary: {metadata['Summary']}",
        f"Requires-Python: {metadata['Requires-Python']}",
        *(f"Requires-Dist: {need}" for need in needs if "extra ==" not in need),
    ]
    files[f"{info}/METADATA"] = ("\n".join(lines) + "\n").encode()
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\naed-daemon = aed_daemon.__main__:main\n"
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return f"aed_daemon-{version}-{_TAG}.whl", _zipped(files)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def _zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return made.getvalue()
