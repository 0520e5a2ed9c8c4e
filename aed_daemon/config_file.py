"""Reading a configuration: TOML and environment in, a checked `Config` or every fault with its place out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aed_daemon.config import Config
from aed_daemon.config_env import apply, overrides
from aed_daemon.config_faults import did_you_mean, dotted, faults_of, joined
from aed_daemon.config_schema import key_at
from aed_daemon.config_types import FOLDER, KeyPath, Origins
from aed_daemon.errors import ConfigError
from aed_daemon.manifest import BACKGROUND, LOUD_SOUND, ModelManifest
from aed_daemon.rules import class_rules
from aed_daemon.toml_lines import key_lines

MAX_BYTES = 1 << 20
"""No configuration is longer; a device or a recording given by mistake is."""

_EXAMPLE = "systemd/aed.toml of the source is a commented example."


def find_config(env: Mapping[str, str], folder: Path | None = None) -> Path | None:
    """Return the configuration that is used where none is named.

    The first of $AED_CONFIG (even if it does not exist: it was asked for), ./aed.toml,
    $XDG_CONFIG_HOME/aed/aed.toml (~/.config where that is unset) and /etc/aed/aed.toml.

    Parameters
    ----------
    env : mapping
        The environment.
    folder : Path, optional
        Stands for the working directory.
    """
    if env.get("AED_CONFIG"):
        return Path(env["AED_CONFIG"])
    candidates = [(folder or Path()) / "aed.toml"]
    if env.get("XDG_CONFIG_HOME"):
        candidates.append(Path(env["XDG_CONFIG_HOME"], "aed", "aed.toml"))
    elif env.get("HOME"):
        candidates.append(Path(env["HOME"], ".config", "aed", "aed.toml"))
    candidates.append(Path("/etc/aed/aed.toml"))
    return next((path for path in candidates if path.is_file()), None)


def load_config(path: Path | None, env: Mapping[str, str]) -> Config:
    """Read a configuration file, lay the environment over it and check the result.

    Parameters
    ----------
    path : Path or None
        The TOML file; None: only the environment and the defaults. Relative paths in it, and in
        overrides, start from its folder.
    env : mapping
        The environment; its AED__SECTION__KEY variables win over the file.

    Raises
    ------
    ConfigError
        For a file that cannot be read, and for every fault in it; several come as `ManyFaultsError`,
        one line each.
    """
    text = read_text(path) if path is not None else ""
    name = str(path) if path is not None else "configuration"
    data, places = parse(text, name)
    faults = override(data, places, env)
    folder = path.parent if path is not None else Path()
    origins = Origins(places)
    try:
        config = Config.model_validate(data, context={FOLDER: folder})
    except ValidationError as error:
        raise joined([*faults, *faults_of(error, data, origins)]) from None
    if faults:
        raise joined(faults)
    config.origins.places.update(places)
    return config


def read_text(path: Path) -> str:
    """Return the text of a configuration file; ConfigError if it cannot be had."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError("no such file", where=str(path), hint=_EXAMPLE) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"cannot read the configuration ({reason})", where=str(path)) from None
    if len(content) > MAX_BYTES:
        raise ConfigError(
            "too long for a configuration", where=str(path), expected="at most 1 MiB", hint=_EXAMPLE
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "not UTF-8",
            where=f"{path}:{line}",
            got=f"the byte 0x{content[error.start]:02x}",
            hint="Save the file with the encoding UTF-8.",
        ) from None


def parse(text: str, name: str) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Parse a document, and say where each of its keys stands.

    Parameters
    ----------
    text : str
        The TOML document.
    name : str
        What errors call it.

    Raises
    ------
    ConfigError
        If it is not valid TOML.
    """
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ConfigError("tables or arrays are nested too deep", where=name) from None
    except ValueError as error:  # TOMLDecodeError, and what int() says of 5,000 digits
        found = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        problem = str(error)[: found.start()] if found else str(error).removesuffix(" (at end of document)")
        raise ConfigError(
            f"not valid TOML ({problem}{f', column {found[2]}' if found else ''})",
            where=f"{name}:{line}",
            hint=_syntax_hint(text, line),
        ) from None
    try:
        lines = key_lines(text)
    except ValueError as error:
        raise ConfigError(str(error), where=name) from None
    return data, {(): f"{name}:1", **{path: f"{name}:{line}" for path, line in lines.items()}}


def _syntax_hint(text: str, line: int) -> str:
    lines = text.split("\n")
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    if re.match(r"[\w.-]+\s*:", shown):
        return "A key and its value are joined by =, not by a colon."
    if re.match(r"[\w.-]+\s*=\s*(True|False|yes|no|on|off)\b", shown):
        return "Write true or false."
    if re.match(r"[\w.-]+\s*=\s*[A-Za-z/~.]", shown):
        return 'Text needs quotes: key = "value".'
    return "See https://toml.io for the format."


def override(data: dict[str, Any], places: dict[KeyPath, str], env: Mapping[str, str]) -> list[ConfigError]:
    """Lay the environment over a parsed document, in place, and return what is wrong with the variables."""
    found, faults = overrides(env)
    applied = []
    for variable in found:
        try:
            applied.append((variable, apply(data, variable, variable.value)))
        except ConfigError as fault:
            faults.append(fault)
    for variable, path in applied:
        key = key_at(path, data)
        if key is not None and key.text_only and not isinstance(variable.value, str):
            apply(data, variable, variable.raw)  # a user named 1234
        for known in [known for known in places if known[: len(path)] == path]:
            del places[known]
        for length in range(1, len(path)):
            places.setdefault(path[:length], variable.where)
        places[path] = variable.where
    return faults


def check_against_model(config: Config, manifest: ModelManifest) -> None:
    """Check that the configuration's classes are the model's.

    Raises
    ------
    ConfigError
        If `detection.classes` or `clips` names a class that the model does not know, or
        `clips.never_classes` one that is not detected.
    """
    known = [slug for slug in manifest.slugs if slug != BACKGROUND]
    named: list[tuple[KeyPath, str]] = [
        (("detection", "classes", slug), slug) for slug in config.detection.classes
    ]
    for key in ("classes", "never_classes"):
        slugs = getattr(config.clips, key) or []
        named += [(("clips", key, place), slug) for place, slug in enumerate(slugs) if slug != LOUD_SOUND]
    faults = []
    for path, slug in named:
        if slug not in known:
            faults.append(
                ConfigError(
                    f"{dotted(path)}: the model {manifest.name} has no class '{slug}'",
                    where=config.origins.of(path),
                    hint=f"{did_you_mean(slug, known)}It knows {', '.join(known)}.",
                )
            )
    faults += _vetoes_without_effect(config, manifest, known)
    if faults:
        raise joined(faults)


def _vetoes_without_effect(
    config: Config, manifest: ModelManifest, known: Sequence[str]
) -> list[ConfigError]:
    """Return an error for each class that must not be recorded and is not detected either."""
    if not config.clips.enabled:
        return []
    heard = {rule.slug for rule in class_rules(config.detection, manifest)}
    if config.detection.loud_sound.enabled:
        heard.add(LOUD_SOUND)
    faults = []
    for place, slug in enumerate(config.clips.never_classes):
        if slug in (*known, LOUD_SOUND) and slug not in heard:
            path: KeyPath = ("clips", "never_classes", place)
            faults.append(
                ConfigError(
                    f"{dotted(path)}: '{slug}' is switched off in [detection], so nobody notices it",
                    where=config.origins.of(path),
                    hint="Enable it there, or leave it out here.",
                )
            )
    return faults


def located(error: ConfigError, config: Config) -> ConfigError:
    """Return an error whose `where` is a key as one that says where that key was set, too."""
    key = error.where or ""
    place = config.origins.of(tuple(key.split(".")))
    return ConfigError(
        f"{key}: {error.what}", where=place, expected=error.expected, got=error.got, hint=error.hint
    )
