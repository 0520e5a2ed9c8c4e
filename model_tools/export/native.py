"""The network of a model as a shared library for Linux, which the daemon runs as its engine `native`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aed_daemon.errors import AedError
from aed_daemon.manifest import load_manifest, manifest_path, read_model_file
from aed_daemon.native import library_path, machine, machines_of
from model_tools.export import network_c
from model_tools.export.cwriter import float_literal
from model_tools.export.graph import Network, Plane, read_network
from model_tools.export.plan import plan
from model_tools.export.toolchain import STRICT, MissingToolError

SOURCES = ("aed_native.c", *network_c.SOURCES)
"""In `csrc/`, to be compiled with the files of `native_files`."""

_CSRC = Path(__file__).parent / "csrc"
_FLAGS = (*STRICT, "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-s")
_LINES_SHOWN = 6


def build_native(
    model: Path, out: Path | None = None, *, compiler: str = "gcc", target: str | None = None
) -> Path:
    """Compile the network of a model to a shared library, and return its path.

    Parameters
    ----------
    model : Path
        NAME.tflite with NAME.json beside it.
    out : Path, optional
        NAME.MACHINE.so beside the model if None. What is there already stays until the new one is whole.
    compiler : str
        gcc or clang, of this machine or for another.
    target : str, optional
        The machine that it compiles for, as `uname -m` says it there; None if it is this one.

    Raises
    ------
    ModelError
        If model and manifest are not right, or the network cannot be written as C.
    MissingToolError
        Without the compiler, or the package that reads .tflite files.
    AedError
        If it complains, or compiles for another machine.
    """
    target = target or machine()
    if out is not None and out.is_dir():
        raise AedError("this is a folder", where=str(out), expected="the path of a file")
    return _compile(native_files(model), out or library_path(model, target), compiler, target)


def with_native(model: Path, cache: Path) -> Path:
    """Return a copy of a model in a cache folder, its library beside it; built once from the same sources.

    Raises
    ------
    AedError
        As `build_native`.
    """
    manifest, files = load_manifest(model), native_files(model)
    sources = [path.read_text(encoding="utf-8") for path in sorted(_CSRC.glob("*.[ch]"))]
    texts = [model.name, manifest.to_json(), *files.values(), *sources, *_FLAGS]
    folder = cache / "native" / hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch, "made")
            made.mkdir()
            for path in (manifest_path(model), model.with_name(manifest.file)):
                shutil.copyfile(path, made / path.name)
            _compile(files, library_path(made / model.name), "gcc", machine())
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():  # another process was first
                    raise
    return folder / model.name


def native_files(model: Path) -> Mapping[str, str]:
    """Return the generated C of a model's library, by name.

    Raises
    ------
    AedError
        As `build_native`.
    """
    manifest = load_manifest(model)
    path = model.with_name(manifest.file)
    network = read_network(read_model_file(path), where=str(path))
    origin = f"{manifest.name}, sha256 {manifest.sha256}"
    return {
        **network_c.network_files(plan(network, "patch"), origin),
        "aed_native_model.h": f'#define AED_NATIVE_MODEL "{manifest.sha256}"\n{_tensors(network)}',
    }


def _tensors(network: Network) -> str:
    entry, output = network.input, network.output
    sides = (entry.columns, entry.rows) if network.transposed else (entry.rows, entry.columns)
    return _tensor("INPUT", (1, *sides, 1), entry) + _tensor("OUTPUT", (1, output.channels, 0, 0), output)


def _tensor(name: str, shape: tuple[int, ...], plane: Plane) -> str:
    sizes = ", ".join(map(str, shape))
    return f"#define AED_NATIVE_{name} {{{{{sizes}}}, {plane.zero_point}, {float_literal(plane.scale)}}}\n"


def _compile(files: Mapping[str, str], out: Path, compiler: str, target: str) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".native-") as scratch:
        for name, text in files.items():
            Path(scratch, name).write_text(text, encoding="utf-8")
        sources = [
            *(_CSRC / name for name in SOURCES),
            *(Path(scratch, name) for name in files if name.endswith(".c")),
        ]
        made = Path(scratch, "made.so")
        command = [compiler, *_FLAGS, f"-I{_CSRC}", f"-I{scratch}", *map(str, sources), "-o", str(made)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        except FileNotFoundError:
            hint = "Debian has gcc, gcc-aarch64-linux-gnu and gcc-arm-linux-gnueabihf."
            raise MissingToolError(f"{compiler} is not installed", hint=hint) from None
        if done.returncode:
            told = "\n".join(done.stderr.strip().splitlines()[:_LINES_SHOWN])
            raise AedError(f"{compiler} refuses the network: {told}")
        found = machines_of(made)
        if found and target not in found:
            raise AedError(
                f"{compiler} compiles for another machine",
                expected=target,
                got=" or ".join(found),
                hint="Name the machine with --machine, or a compiler for it with --compiler.",
            )
        made.chmod(0o755)  # the daemon runs no code that others may write
        made.replace(out)
    return out
