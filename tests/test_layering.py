"""The import rules of the architecture, read from the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 400

ONLY_IN = {
    "sounddevice": "aed_daemon/audio/microphone.py",
    "soundfile": "aed_daemon/audio/",
    "tflite_runtime": "aed_daemon/inference.py",
    "ai_edge_litert": "aed_daemon/inference.py",
    "paho": "aed_daemon/sinks/",
    "tomlkit": "aed_daemon/tuning/rewrite.py",
    "prometheus_client": "aed_daemon/metrics/",
    "starlette": "aed_daemon/web/",
    "uvicorn": "aed_daemon/web/",
}
"""Libraries with an outside world behind them, and the one place that may know them."""

NEVER = {
    "aed_daemon/": ("model_tools", "scipy", "librosa", "tensorflow", "torch", "keras", "matplotlib", "h5py"),
    "model_tools/": ("sounddevice", "paho"),
}

HEAVY = ("tensorflow", "keras", "torch", "librosa", "matplotlib", "h5py", "scipy", "soundfile", "sounddevice")
"""Imported where they are used, never while a module loads: --help answers at once."""

MADE_OF_TORCH = tuple(f"model_tools/training/{name}.py" for name in ("network", "fused", "folded"))
"""Subclasses of PyTorch's own: they import it as they load, so others import them where they are used."""

OUTSIDE = (
    "socket",
    "subprocess",
    "time",
    "threading",
    "multiprocessing",
    "asyncio",
    "datetime",
    "random",
    "sqlite3",
    "structlog",
    "os",
    "sys",
    "aed_daemon.audio",
    "aed_daemon.sinks",
    "aed_daemon.supervisor",
)

PURE = ("spec", "features", "level", "gate", "onset", "rules", "loud", "tracker", "detector", "near_misses")
"""Modules without clock or I/O: the same samples give the same events, here and in C."""

PIPELINE = (
    "socket",
    "subprocess",
    "sqlite3",
    "aed_daemon.sinks.mqtt",
    "aed_daemon.audio.capture",
    "aed_daemon.audio.microphone",
    "aed_daemon.audio.file",
    "aed_daemon.supervisor",
    "aed_daemon.cli",
    "aed_daemon.history",
    "aed_daemon.tuning",
    "aed_daemon.clips",
    "aed_daemon.companion_kinds",
    "aed_daemon.companions",
)
"""What the loop that joins the stages must not know: it sees protocols."""


class Import(NamedTuple):
    module: str
    line: int
    deferred: bool  # inside a function, or for the type checker alone


def imports(source: str) -> Iterator[Import]:
    """Yield every import of a module, also those by importlib with a literal name."""
    yield from _walk(ast.parse(source), deferred=False)


def _walk(node: ast.AST, *, deferred: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inner = deferred or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            inner = True
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, deferred) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute here"
            for alias in child.names:
                yield Import(f"{child.module}.{alias.name}", child.lineno, deferred)
        elif isinstance(child, ast.Call) and _imports_by_name(child):
            yield Import(ast.literal_eval(child.args[0]), child.lineno, deferred)
        yield from _walk(child, deferred=inner)


def _imports_by_name(call: ast.Call) -> bool:
    named = ast.unparse(call.func).endswith(("import_module", "__import__"))
    return named and bool(call.args) and isinstance(call.args[0], ast.Constant)


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def violations(path: str, source: str) -> list[str]:
    """Return what a file does against the rules; `path` is relative to the root."""
    found = []
    for module, line, deferred in imports(source):
        place, top = f"{path}:{line}: {module}", module.partition(".")[0]
        if top in ONLY_IN and path.startswith("aed_daemon/") and not path.startswith(ONLY_IN[top]):
            found.append(f"{place} belongs in {ONLY_IN[top]} alone")
        for package, banned in NEVER.items():
            if path.startswith(package) and within(module, banned):
                found.append(f"{place} is never imported in {package}")
        heavy = within(module, (*HEAVY, *(name[:-3].replace("/", ".") for name in MADE_OF_TORCH)))
        if heavy and not deferred and path not in MADE_OF_TORCH:
            found.append(f"{place} is imported while the module loads")
        if path in [f"aed_daemon/{name}.py" for name in PURE] and within(module, OUTSIDE):
            found.append(f"{place} is clock or I/O in a pure module")
        if path == "aed_daemon/pipeline.py" and (within(module, PIPELINE) or top in ONLY_IN):
            found.append(f"{place} is more than a protocol")
    return found


def sources() -> list[Path]:
    return sorted(
        path for package in ("aed_daemon", "model_tools") for path in (ROOT / package).rglob("*.py")
    )


def test_the_rules_hold() -> None:
    found = []
    for path in sources():
        found += violations(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    assert found == []


def test_the_rules_are_about_files_that_exist() -> None:
    for name in (
        *(f"aed_daemon/{name}.py" for name in (*PURE, "pipeline")),
        *ONLY_IN.values(),
        *MADE_OF_TORCH,
    ):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_has_outgrown_itself(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("aed_daemon/cli/run.py", "def f():\n    import sounddevice"),
        ("aed_daemon/doctor.py", "import importlib\ndef f():\n    importlib.import_module('soundfile')"),
        ("aed_daemon/pipeline.py", "from paho.mqtt import client"),
        ("aed_daemon/companion_kinds.py", "def f():\n    import uvicorn"),
        ("aed_daemon/pipeline.py", "from aed_daemon.sinks.mqtt import Connection"),
        ("aed_daemon/pipeline.py", "import socket"),
        ("aed_daemon/sinks/mqtt.py", "from tflite_runtime.interpreter import Interpreter"),
        ("aed_daemon/audio/resample.py", "def f():\n    from scipy import signal"),
        ("aed_daemon/companion_kinds.py", "def f():\n    import prometheus_client"),
        ("aed_daemon/features.py", "from model_tools.data.esc10 import x"),
        ("aed_daemon/features.py", "import time as t"),
        ("aed_daemon/features.py", "import random, math"),
        ("aed_daemon/detector.py", "import sqlite3"),
        ("aed_daemon/pipeline.py", "from aed_daemon.history.companion import History"),
        ("aed_daemon/history/archive.py", "def f():\n    import tomlkit"),
        ("aed_daemon/pipeline.py", "from aed_daemon.audio.capture import MicrophoneSource"),
        ("aed_daemon/pipeline.py", "from aed_daemon.audio import microphone"),
        ("aed_daemon/pipeline.py", "from aed_daemon.clips.cutter import Cutter"),
        ("aed_daemon/clips/files.py", "def f():\n    import soundfile"),
        ("aed_daemon/tracker.py", "from time import monotonic"),
        ("aed_daemon/tracker.py", "from aed_daemon.audio.ring import Ring"),
        ("aed_daemon/audio/file.py", "try:\n    import soundfile\nexcept OSError:\n    pass"),
        ("model_tools/training/train.py", "import tensorflow as tf"),
        ("model_tools/training/train.py", "class A:\n    import keras"),
        ("model_tools/training/train.py", "def f():\n    import paho.mqtt"),
        ("model_tools/training/train.py", "from model_tools.training.network import Yamnet"),
    ],
)
def test_a_breach_would_be_seen(path: str, source: str) -> None:
    assert violations(path, source) != []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("aed_daemon/audio/microphone.py", "def f():\n    import sounddevice"),
        (
            "aed_daemon/audio/file.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import soundfile",
        ),
        ("aed_daemon/sinks/mqtt.py", "from paho.mqtt import client"),
        ("aed_daemon/pipeline.py", "from aed_daemon.features import MelStream"),
        ("model_tools/training/train.py", "def f():\n    import tensorflow"),
        ("model_tools/training/train.py", "from aed_daemon.features import MelStream"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert violations(path, source) == []


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


NO_PORTAUDIO = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
sys.meta_path.insert(0, Missing())
"""


def test_importing_the_package_loads_nothing_else() -> None:
    heavy = ("numpy", "pydantic", "structlog", "sounddevice", "paho", "tflite_runtime", "ai_edge_litert")
    assert python(f"import sys, aed_daemon; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_a_daemon_without_the_page_does_not_load_its_libraries() -> None:
    code = (
        "import sys, aed_daemon.supervisor; print([m for m in ('starlette', 'uvicorn') if m in sys.modules])"
    )
    assert python(code) == "[]"


def test_the_daemon_imports_where_portaudio_is_missing() -> None:
    code = "import aed_daemon.supervisor, aed_daemon.cli.run, aed_daemon.audio.capture; print('fine')"
    assert python(NO_PORTAUDIO + code) == "fine"


def test_portaudio_is_missing_in_that_test() -> None:
    code = "\ntry:\n    import sounddevice\nexcept OSError as error:\n    print(error)"
    assert python(NO_PORTAUDIO + code) == "PortAudio library not found"


OPTIONAL = (
    "aed_daemon.clips.clips", "aed_daemon.clips.writer", "aed_daemon.audio.encode", "soundfile",
    "aed_daemon.metrics.metrics", "aed_daemon.web.web", "prometheus_client", "starlette", "uvicorn",
)  # fmt: skip
"""What a daemon without it never loads."""


def test_parts_that_are_off_are_not_loaded() -> None:
    code = f"""
import sys
from aed_daemon.companion_kinds import KINDS
from aed_daemon.companions import Companions, Surroundings
from aed_daemon.config import Config
from aed_daemon.inference import load_classifier
import aed_daemon.supervisor
config = Config.model_validate({{"source": [{{"type": "demo", "name": "a"}}]}})
around = Surroundings(config, load_classifier(None, "tflite"), None, None, None, None)
companions = Companions(kinds=KINDS)
companions.adopt(companions.plan(lambda others: around))
print([name for name in {OPTIONAL} if name in sys.modules])
"""
    assert python(code).endswith("[]")


def test_help_needs_no_model_and_no_numpy() -> None:
    code = """
import sys
from aed_daemon.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print([name for name in ("numpy", "pydantic", "paho", "sounddevice") if name in sys.modules])
"""
    assert python(code).endswith("\n[]")


def test_a_daemon_without_a_history_loads_no_database_for_it() -> None:
    code = "import sys, aed_daemon.supervisor as s; print([m for m in sys.modules if 'history.' in m])"
    assert python(code) == "[]"
