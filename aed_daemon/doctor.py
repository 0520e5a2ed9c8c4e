"""What this machine lacks for the daemon, and how to get it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from aed_daemon.config import Config
from aed_daemon.config_file import find_config, load_config
from aed_daemon.errors import AedError, AudioError, ConfigError, ModelError
from aed_daemon.state_file import state_folder

PACKAGES = {"numpy": "1.24", "pydantic": "2.6", "structlog": "23.1", "sounddevice": "0.4.6"}
PACKAGES |= {"soundfile": "0.12", "paho-mqtt": "2.0"}
"""Required distributions and their least versions, as in pyproject.toml."""

UNIT = "aed-daemon.service"
UNIT_FOLDERS = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What it is.
    ok : bool
        Whether the daemon can work with it.
    text : str
        What was found.
    hint : str or None
        What to install or do; set wherever `ok` is false.
    exit_code : int
        Of a command that fails for it: 2 configuration, 3 model, 4 audio, 5 broker, else 1.
    """

    name: str
    ok: bool
    text: str
    hint: str | None = None
    exit_code: int = 1


@dataclass(frozen=True)
class _Place:
    """What the checks look at: the configuration, as far as there is one, and the environment."""

    config: Config | None
    config_check: Check
    env: Mapping[str, str]


def run_checks(config_path: Path | None = None, env: Mapping[str, str] | None = None) -> list[Check]:
    """Look at everything that the daemon needs; a check that breaks is a failed check.

    Parameters
    ----------
    config_path : Path, optional
        The configuration; found as `run` finds it if None.
    env : mapping, optional
        Stands for the environment.
    """
    place = _place(config_path, os.environ if env is None else env)
    return [_run(name, look, place) for name, look in _CHECKS.items()]


def _run(name: str, look: Callable[[_Place], Check], place: _Place) -> Check:
    try:
        return look(place)
    except AedError as error:
        what = f"{error.where}: {error.what}" if error.where else error.what
        return Check(name, False, what, error.hint or str(error), error.exit_code)
    except Exception as error:  # doctor is what one runs when things are broken: it must get to its end
        hint = "The check itself broke: please report it."
        return Check(name, False, f"{type(error).__name__}: {error}", hint)


def _place(path: Path | None, env: Mapping[str, str]) -> _Place:
    path = path or find_config(env)
    if path is None:
        hint = "Copy systemd/aed.toml to /etc/aed/aed.toml or ./aed.toml and adapt it."
        return _Place(None, Check("configuration", False, "there is none", hint, ConfigError.exit_code), env)
    try:
        config = load_config(path, env)
    except AedError as error:
        hint = "Mend the lines named above."
        return _Place(None, Check("configuration", False, str(error), hint, error.exit_code), env)
    text = f"{path}: good, {len(config.source)} source(s)"
    return _Place(config, Check("configuration", True, text), env)


def _python(_: _Place) -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    hint = "Install Python 3.11 or newer; Debian 12 has it." if sys.version_info < (3, 11) else None
    return Check("python", hint is None, f"{version}, {sys.executable}", hint)


def _packages(_: _Place) -> Check:
    found, wrong = [], []
    for name, least in PACKAGES.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        found.append(f"{name} {version}")
        if _numbers(version) < _numbers(least):
            wrong.append(f"{name} {version} is older than {least}")
    hint = "pip install --upgrade aed-daemon, in the environment that runs it." if wrong else None
    return Check("packages", not wrong, ", ".join(wrong or found), hint)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _configuration(place: _Place) -> Check:
    return place.config_check


def _engine(place: _Place) -> Check:
    from aed_daemon.inference import available_engines
    from aed_daemon.manifest import DEFAULT_MODEL

    model = place.config.model.path if place.config else None
    engines = available_engines(model or DEFAULT_MODEL)
    hint = (
        "pip install tflite-runtime (Python 3.11) or ai-edge-litert (newer; not on armv7l), or make the "
        "model's library with model-tools native."
    )
    if not engines:
        return Check("engine", False, "none", hint, ModelError.exit_code)
    return Check("engine", True, ", ".join(engines))


def _model(place: _Place) -> Check:
    from aed_daemon.config_file import check_against_model
    from aed_daemon.inference import load_classifier

    model = place.config.model if place.config else None
    classifier = load_classifier(model.path, model.engine, model.threads) if model else load_classifier()
    if place.config:
        check_against_model(place.config, classifier.manifest)
    manifest = classifier.manifest
    text = (
        f"{manifest.name} {manifest.version}, {len(manifest.labels)} outputs, runs with {classifier.engine}"
    )
    return Check("model", True, text)


def _recordings(_: _Place) -> Check:
    """Read a second of silence back, through soundfile and libsndfile."""
    from aed_daemon.audio.file import AudioFile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "silence.wav")
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", "NONE"))
            file.writeframes(bytes(3_200))
        AudioFile(path).close()
    return Check("recordings", True, f"soundfile {metadata.version('soundfile')} reads them")


def _microphones(place: _Place) -> Check:
    from aed_daemon.audio.capture import list_devices

    wanted = place.config is None or any(source.type == "microphone" for source in place.config.source)
    try:
        devices = list_devices()
    except AedError as error:
        if wanted:
            raise
        return Check("microphones", True, f"{error.what}; none is configured")
    if devices:
        return Check("microphones", True, ", ".join(f"{device.index}: {device.name}" for device in devices))
    if not wanted:
        return Check("microphones", True, "none; none is configured")
    hint = "Plug one in; `arecord -l` (package alsa-utils) shows what the kernel sees."
    if any(not os.access(node, os.R_OK) for node in Path("/dev/snd").glob("*C*D*c")):
        hint = "This user may not use sound: sudo usermod -aG audio $USER, then log in again."
    return Check("microphones", False, "none was found", hint, AudioError.exit_code)


def _state(place: _Place) -> Check:
    folder = state_folder(place.env)
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not nearest.is_dir():
        return Check("state", False, f"{nearest} is no folder", f"Remove {nearest}.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        hint = f"sudo install -d -o $USER {folder}, or set STATE_DIRECTORY."
        return Check("state", False, f"{folder} cannot be written", hint)
    return Check("state", True, f"{folder} can be written")


def _broker(place: _Place) -> Check:
    if place.config is None:
        return Check("broker", True, "not looked at without a configuration")
    mqtt = place.config.mqtt
    if not mqtt.enabled:
        return Check("broker", True, "MQTT is not enabled")
    from aed_daemon.sinks.mqtt import check_connection

    check_connection(mqtt)
    return Check("broker", True, f"{mqtt.host}:{mqtt.effective_port} lets it in")


def _clock(_: _Place) -> Check:
    from aed_daemon.health import clock_synchronised

    if clock_synchronised() or _timedatectl() == "yes":
        return Check("clock", True, "synchronised")
    hint = "sudo timedatectl set-ntp true, or install systemd-timesyncd or chrony: events carry the time."
    return Check("clock", False, "not synchronised", hint)


def _timedatectl() -> str:
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            check=False,
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _service(_: _Place) -> Check:
    for folder in UNIT_FOLDERS:
        if Path(folder, UNIT).exists():
            return Check("service", True, f"{Path(folder, UNIT)}")
    return Check("service", True, "not installed; make install-service does, to start it at boot")


_CHECKS: dict[str, Callable[[_Place], Check]] = {
    "python": _python,
    "packages": _packages,
    "configuration": _configuration,
    "engine": _engine,
    "model": _model,
    "recordings": _recordings,
    "microphones": _microphones,
    "state": _state,
    "broker": _broker,
    "clock": _clock,
    "service": _service,
}
