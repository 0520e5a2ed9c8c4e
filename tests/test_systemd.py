"""The unit in the eyes of the real systemd-analyze, and the installer into an empty root."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aed_daemon import __version__
from aed_daemon.config_file import load_config

SYSTEMD = Path(__file__).parents[1] / "systemd"
UNIT = SYSTEMD / "aed-daemon.service"
MAX_EXPOSURE = 1.5

pytestmark = pytest.mark.system


@pytest.fixture
def analyze() -> str:
    path = shutil.which("systemd-analyze")
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("systemd-analyze is missing: apt install systemd")
    if path is None:
        pytest.skip("systemd-analyze is missing: apt install systemd")
    return path


def settings() -> list[tuple[str, str]]:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    return [(line.split("=", 1)[0], line.split("=", 1)[1]) for line in lines if re.match(r"[A-Z]\w+=", line)]


def copy_that_can_run(folder: Path, text: str | None = None) -> Path:
    """Write the unit with a program that exists here, as verify demands."""
    text = UNIT.read_text(encoding="utf-8") if text is None else text
    text, found = re.subn(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", text)
    assert found == 1
    unit = folder / UNIT.name
    unit.write_text(text, encoding="utf-8")
    return unit


def verify(analyze: str, unit: Path) -> tuple[int, str]:
    done = subprocess.run(
        [analyze, "--man=no", "verify", str(unit)], check=False, capture_output=True, text=True
    )
    return done.returncode, done.stderr


def exposure(analyze: str, unit: Path) -> float:
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(unit)],
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"Overall exposure level for aed-daemon\.service: ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def test_systemd_accepts_every_line(analyze: str, tmp_path: Path) -> None:
    assert verify(analyze, copy_that_can_run(tmp_path)) == (0, "")


def test_an_unknown_key_would_show(analyze: str, tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8").replace("ProtectHome=", "ProtectHom=")
    assert verify(analyze, copy_that_can_run(tmp_path, text))[1] != ""


def test_exposure(analyze: str, tmp_path: Path) -> None:
    assert exposure(analyze, copy_that_can_run(tmp_path)) <= MAX_EXPOSURE


def test_a_plain_unit_is_exposed(analyze: str, tmp_path: Path) -> None:
    assert exposure(analyze, copy_that_can_run(tmp_path, "[Service]\nExecStart=/bin/true\n")) > 9


def test_the_drop_in_is_accepted(analyze: str, tmp_path: Path) -> None:
    unit = copy_that_can_run(tmp_path)
    (tmp_path / "aed-daemon.service.d").mkdir()
    shutil.copy(SYSTEMD / "credentials.conf", tmp_path / "aed-daemon.service.d")
    assert verify(analyze, unit) == (0, "")


def test_what_the_design_demands_is_there() -> None:
    wanted = {
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("WatchdogSec", "30s"),
        ("Restart", "always"),
        ("RestartSec", "5s"),
        ("RestartPreventExitStatus", "2 3"),
        ("StartLimitIntervalSec", "0"),
        ("ExecReload", "kill -HUP $MAINPID"),
        ("ExecStart", "/opt/aed/bin/aed-daemon run --config /etc/aed/aed.toml"),
        ("DynamicUser", "yes"),
        ("SupplementaryGroups", "audio"),
        ("StateDirectory", "aed"),
        ("DevicePolicy", "closed"),
        ("DeviceAllow", "char-alsa rw"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
    }
    assert wanted <= set(settings())
    names = [name for name, _ in settings()]
    assert not {"PrivateDevices", "ProcSubset", "LoadCredential"} & set(names)
    assert {name for name in names if names.count(name) > 1} <= {"SystemCallFilter"}


def test_the_drop_in_gives_the_credential_that_the_example_names() -> None:
    parser = configparser.ConfigParser()
    parser.read(SYSTEMD / "credentials.conf", encoding="utf-8")
    name = parser["Service"]["LoadCredential"].split(":")[0]
    assert f'#password_credential = "{name}"' in (SYSTEMD / "aed.toml").read_text(encoding="utf-8")


def install(root: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the installer without the dependencies: what it does itself is what is tested."""
    own = {"DESTDIR": str(root), "PYTHON": sys.executable, "PIP_ARGS": "--no-deps"}
    return subprocess.run(
        ["sh", str(SYSTEMD / "install.sh")],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **own, **env},
    )


@pytest.mark.timeout(300)
def test_install_into_an_empty_root(tmp_path: Path) -> None:
    done = install(tmp_path)
    if done.returncode and "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("no package index within reach: pip fetches setuptools to build the project")
    assert done.returncode == 0, done.stderr
    script = (tmp_path / "opt/aed/bin/aed-daemon").read_text(encoding="utf-8")
    assert script.startswith("#!/opt/aed/bin/python")
    assert str(tmp_path) not in script
    assert (tmp_path / "etc/systemd/system/aed-daemon.service").read_text(encoding="utf-8") == UNIT.read_text(
        encoding="utf-8"
    )
    assert load_config(tmp_path / "etc/aed/aed.toml", {}).source
    said = subprocess.run(
        [tmp_path / "opt/aed/bin/python", "-m", "aed_daemon", "--version"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert said.stdout == f"aed-daemon {__version__}\n"
    assert list((tmp_path / "opt/aed").glob("lib/*/site-packages/aed_daemon/__init__.py"))

    (tmp_path / "etc/aed/aed.toml").write_text("# mine\n", encoding="utf-8")
    again = install(tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "etc/aed/aed.toml").read_text(encoding="utf-8") == "# mine\n"
    assert "Kept" in again.stderr


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"PYTHON": "no-such-python"}, "install.sh: no no-such-python. Install Python 3.11"),
        ({"PREFIX": "opt"}, "install.sh: PREFIX must be an absolute path, got 'opt'."),
    ],
)
def test_install_says_what_is_missing(tmp_path: Path, env: dict[str, str], message: str) -> None:
    done = install(tmp_path, **env)
    assert done.returncode == 1
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
