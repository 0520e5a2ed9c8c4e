"""A bundle for the daemon on a Linux board: the model, a configuration, the unit, and what installs them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from aed_daemon import __version__
from aed_daemon.errors import AedError
from aed_daemon.inference import load_classifier
from aed_daemon.manifest import BACKGROUND, ModelManifest, load_manifest, manifest_path, read_model_file
from model_tools.export.emit import Order
from model_tools.export.folder import MARK, check_free, whole, write
from model_tools.export.report import as_json
from model_tools.export.wheel import daemon_wheel

_TEMPLATES = Path(__file__).parent / "templates" / "linux"
_SOURCE = Path(__file__).parents[2]
_SYSTEMD = _SOURCE / "systemd"
_FILES = {"unit": "aed-daemon.service", "credentials": "credentials.conf", "configuration": "aed.toml"}
_REFERENCE = "configuration.md"

MODELS = "/opt/aed/share/models"


def bundle(order: Order, out: Path, *, force: bool = False) -> dict[str, Any]:
    """Write a bundle and return its report.

    Raises
    ------
    ModelError
        If the daemon could not run the model.
    AedError
        If the folder is taken, or the source of the daemon's unit is not there.
    """
    check_free(out, force=force)
    if order.mode not in (None, "patch"):
        raise AedError("the daemon listens in patches", where="--mode", expected="patch", got=order.mode)
    manifest = load_manifest(order.model)
    load_classifier(order.model)
    hop = order.hop_frames or order.detection.hop_frames
    name, wheel = daemon_wheel()
    texts = {file: _text(_SYSTEMD / file) for file in _FILES.values()}
    texts[_REFERENCE] = _text(_SOURCE / "docs" / _REFERENCE)
    texts[_FILES["configuration"]] = _configuration(texts[_FILES["configuration"]], manifest, hop)
    told = {
        "schema": 1,
        "generator": f"model-tools {__version__}",
        "model": {"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256},
        "target": {"name": order.target.name, "part": order.target.part},
        "mode": "patch",
        "hop_frames": hop,
        "daemon": name,
    }
    values = {"MODEL": f"{manifest.name} {manifest.version}", "PART": order.target.part, "WHEEL": name}
    with whole(out, force=force) as folder:
        write(folder, manifest.file, read_model_file(order.model.with_name(manifest.file)))
        source = manifest_path(order.model)
        write(folder, source.with_suffix(".json").name, source.read_bytes())
        write(folder, name, wheel)
        for file, text in texts.items():
            write(folder, file, text)
        for template in sorted(_TEMPLATES.iterdir()):
            text = re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], _text(template))
            write(folder, template.name, text)
        (folder / "install.sh").chmod(0o755)
        write(folder, MARK, as_json(told))
    return told


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise AedError(
            f"cannot read a part of the bundle ({error.strerror})",
            where=str(path),
            hint="Bundles are made from a checkout of the source: pip install -e .",
        ) from None


def _configuration(text: str, manifest: ModelManifest, hop_frames: int) -> str:
    """Return the example configuration with this model."""
    slugs = ", ".join(slug for slug in manifest.slugs if slug != BACKGROUND)
    classes = textwrap.fill(
        f"For one class: {slugs}. Wins over [detection.defaults].",
        100, initial_indent="# ", subsequent_indent="# ",
    )  # fmt: skip
    for old, new in (
        (r"(?m)^#path = \"/var/lib/aed/model\.tflite\"$", f'path = "{MODELS}/{manifest.file}"'),
        (r"(?m)^# Unset: the built-in model\.$", f"# {manifest.name} {manifest.version}."),
        (r"(?m)^#hop_frames = \d+$", f"hop_frames = {hop_frames}"),
        (r"(?m)^# For one class: (?:.*\n# )*?.*Wins over \[detection\.defaults\]\.$", classes),
    ):
        text, found = re.subn(old, lambda _, new=new: new, text)  # type: ignore[misc]
        if found != 1:
            raise AedError("the example configuration has changed", where="systemd/aed.toml", expected=old)
    return text
