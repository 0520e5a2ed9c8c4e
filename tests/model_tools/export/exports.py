"""Exports for the tests: made once for all of them, without the emulator."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from numpy.typing import NDArray

from aed_daemon.config import DetectionConfig
from aed_daemon.manifest import DEFAULT_MODEL
from model_tools.export.emit import Order, export
from model_tools.export.known_sound import Generator
from model_tools.export.plan import Mode
from model_tools.export.targets import Target, target_of
from model_tools.export.toolchain import STRICT, host_program
from model_tools.export.vectors import scene

HOST = target_of("host")


def order(
    target: Target = HOST,
    mode: Mode | None = "patch",
    hop_frames: int | None = None,
    model: Path = DEFAULT_MODEL,
    detection: DetectionConfig | None = None,
) -> Order:
    """Return an order that does not run the emulator."""
    return Order(model, target, mode, hop_frames, detection or DetectionConfig(), emulator=False)


@cache
def exported(mode: Mode = "patch") -> Path:
    """Return an export of the default model for this machine; nobody may change it."""
    folder = Path(mkdtemp(prefix="aed-test-"))
    atexit.register(shutil.rmtree, folder)
    out = folder / "export"
    export(order(mode=mode), out)
    return out


def copied(mode: Mode, folder: Path) -> Path:
    """Return a copy of it that may be changed."""
    shutil.copytree(exported(mode), folder / "export")
    return folder / "export"


def program(made: Path, main: Path, work: Path) -> Path:
    """Compile an export with a main for this machine."""
    sources = [*sorted((made / "src").glob("*.c")), main]
    if main.name == "aed_example.c":
        sources.append(made / "examples" / "host" / "aed_port_host.c")
    includes = [made / "src", made / "examples"]
    return host_program(sources, work / main.stem, includes=includes, optimise="-O1")


@cache
def objects(mode: Mode) -> dict[str, Path]:
    """Return the compiled sources of an export, and of its known answers, by name."""
    made = exported(mode)
    sources = [*sorted((made / "src").glob("*.c")), made / "test" / "known_answers.c"]
    folder = made.parent / "objects"
    folder.mkdir()
    subprocess.run(["gcc", *STRICT, "-O1", "-c", f"-I{made / 'src'}", *sources], cwd=folder, check=True)
    return {source.name: folder / f"{source.stem}.o" for source in sources}


def with_one_changed(made: Path, name: str, work: Path, mode: Mode = "patch") -> Path:
    """Build the known answers of a copy in which one source or, for a header, any may have changed."""
    if not name.endswith(".c"):
        return program(made, made / "test" / "known_answers.c", work)
    parts = {**objects(mode), name: made / "src" / name}
    return host_program([*parts.values()], work / "known_answers", includes=[made / "src"], optimise="-O1")


def heard(made: Path, pcm: NDArray[np.int16], work: Path) -> list[str]:
    """Return what the example program prints of a sound."""
    built = program(made, made / "examples" / "aed_example.c", work)
    done = subprocess.run([str(built)], input=pcm.tobytes(), capture_output=True, check=True)
    return done.stdout.decode().splitlines()


def sound_of_vectors() -> NDArray[np.int16]:
    """Return the sound of the known answers before it is made distinct."""
    from aed_daemon.spec import YAMNET_256

    generator, parts = Generator(YAMNET_256.hop_length), []
    for block in scene(YAMNET_256):
        parts.append(generator.made(block))
        generator.go_on(block)
    return np.concatenate(parts)


def contents(folder: Path) -> dict[str, str]:
    """Return a folder's files with their SHA-256."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def shell(*command: object, folder: Path, **env: str) -> str:
    """Run a command in a folder; return what it prints, or fail with it."""
    words, environment = [str(part) for part in command], {**os.environ, **env}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
