"""The audio files of a .deb, those in archives inside it included."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from aed_daemon.errors import AedError

READABLE = frozenset({".ogg", ".oga", ".wav", ".flac", ".opus", ".mp3", ".au", ".aiff", ".aif"})
"""What libsndfile decodes, and so the daemon."""

CONVERTED = {
    ".gsm": ("-f", "gsm"),
    ".g722": ("-f", "g722"),
    ".ulaw": ("-f", "mulaw", "-ar", "8000"),
    ".wv": (),
}
"""What ffmpeg decodes, with the options that raw formats need; it keeps their rate."""

ARCHIVES = frozenset({".pk3", ".pk4", ".wz", ".zip"})


def unpack(deb: Path, into: Path) -> list[tuple[str, str]]:
    """Unpack the audio files and the copyright file of a .deb.

    Parameters
    ----------
    deb : Path
        The package.
    into : Path
        Made; its `files` get the audio files, `copyright` the package's statement.

    Returns
    -------
    list of (str, str)
        Path in the package, and path under `into`, of each audio file, sorted. A file `a.ogg` of an
        archive `x.pk3` has the path `x.pk3/a.ogg`. Links are not followed: a file counts once.

    Raises
    ------
    AedError
        If the package cannot be read or written.
    """
    into.mkdir(parents=True)
    found: list[tuple[str, str]] = []
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        if process.stdout is None or process.stderr is None:
            raise RuntimeError("dpkg-deb was started without pipes")
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                for member in archive:
                    found += _member(archive, member, into)
        except tarfile.TarError as error:
            said = process.stderr.read().decode(errors="replace").strip() or str(error)
            raise AedError(
                "not a Debian package, or a damaged one", where=str(deb), got=said, hint="Fetch it again."
            ) from None
    return sorted(found)


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> list[tuple[str, str]]:
    path = member.name.removeprefix("./")
    suffix = PurePosixPath(path).suffix.lower()
    is_copyright = path.startswith("usr/share/doc/") and path.endswith("/copyright")
    if not member.isfile() or not (suffix in READABLE | CONVERTED.keys() | ARCHIVES or is_copyright):
        return []
    stream = archive.extractfile(member)
    if stream is None or ".." in PurePosixPath(path).parts:
        return []
    target = into / "copyright" if is_copyright else into / "files" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(stream, file)
    if is_copyright:
        return []
    if suffix in ARCHIVES:
        return _archive(target, path)
    return [(path, f"files/{path}")]


def _archive(target: Path, path: str) -> list[tuple[str, str]]:
    packed = target.rename(target.with_name(target.name + ".packed"))
    found = []
    try:
        with zipfile.ZipFile(packed) as archive:
            for name in archive.namelist():
                inner = PurePosixPath(name)
                if inner.suffix.lower() not in READABLE or inner.is_absolute() or ".." in inner.parts:
                    continue
                out = target / inner
                out.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as stream, out.open("wb") as file:
                    shutil.copyfileobj(stream, file)
                found.append((f"{path}/{inner}", f"files/{path}/{inner}"))
    except zipfile.BadZipFile:
        return []
    finally:
        packed.unlink()
    return found


def convert(root: Path, file: str, *, anyway: bool = False) -> str:
    """Return a file that the daemon reads: this one, or a FLAC that ffmpeg makes of it in its place.

    Parameters
    ----------
    root : Path
        Folder of the package.
    file : str
        Relative to it.
    anyway : bool
        Convert also what looks readable, to 48 kHz: it was not.

    Raises
    ------
    AedError
        If ffmpeg is needed and missing.
    """
    source = root / file
    options = CONVERTED.get(source.suffix.lower(), ())
    if source.suffix.lower() not in CONVERTED and not anyway:
        return file
    if shutil.which("ffmpeg") is None:
        raise AedError(
            "cannot convert the recording",
            where=str(source),
            expected="ffmpeg",
            got="a system without it",
            hint="Install it: apt-get install ffmpeg.",
        )
    target = source.with_name(source.name + ".flac")
    rate = ("-ar", "48000") if anyway else ()
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *options, "-i", str(source), *rate]
    done = subprocess.run([*command, "-f", "flac", str(target)], capture_output=True, text=True, check=False)
    if done.returncode:
        target.unlink(missing_ok=True)
        return file  # decoding it will say what is wrong
    source.unlink()
    return f"{file}.flac"
