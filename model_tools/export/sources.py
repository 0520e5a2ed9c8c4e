"""The C of an export: hand-written files, generated tables, and what surrounds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from aed_daemon import __version__
from aed_daemon.manifest import ModelManifest
from model_tools.export import footprint, front_end_c, network_c, rules_c
from model_tools.export.cwriter import header
from model_tools.export.dc_blocker import share
from model_tools.export.footprint import Buffers
from model_tools.export.plan import Plan
from model_tools.export.rules_c import TrackerRules
from model_tools.export.targets import Target

CSRC = Path(__file__).parent / "csrc"
TEMPLATES = Path(__file__).parent / "templates" / "c"

_WRITTEN = (
    *footprint.GLUE_SOURCES,
    *network_c.SOURCES,
    *front_end_c.SOURCES,
    *rules_c.SOURCES,
    "aed_selftest.c",
)
_LATER = ("aed_vectors.h",)
"""Made by `vectors.py`."""


def source_files(
    plan: Plan,
    manifest: ModelManifest,
    rules: TrackerRules,
    waiting: Buffers,
    target: Target,
) -> Mapping[str, str]:
    """Return the files of `src/` without the known answers, by name."""
    generated = {
        **network_c.network_files(plan, rules.origin),
        **rules_c.rules_files(rules),
        front_end_c.HEADER: front_end_c.front_end_tables(manifest.spec, manifest.input),
        "aed_config.h": _config(waiting, rules),
    }
    written = {name: (CSRC / name).read_text(encoding="utf-8") for name in _WRITTEN}
    for name in _headers(written, generated):
        written[name] = (CSRC / name).read_text(encoding="utf-8")
    if target.processor and target.processor.fixed_point:
        written["aed_arithmetic.h"] = _FIXED_POINT + written["aed_arithmetic.h"]
    return {**written, **generated}


_FIXED_POINT = """/* For a processor without FPU. */
#ifndef AED_FIXED_POINT
#define AED_FIXED_POINT
#endif

"""


def project_files(
    manifest: ModelManifest, target: Target, sources: Mapping[str, str], facts: Mapping[str, str]
) -> Mapping[str, str]:
    """Return all files around `src/`, by their path.

    Parameters
    ----------
    sources : mapping of str to str
        Those of `src/`.
    facts : mapping of str to str
        For the README: "MODE" and "STATE".
    """
    fixed = target.processor is not None and target.processor.fixed_point
    flags = target.processor.gcc_flags if target.processor else footprint.reference_core().flags
    library = [n for n in sorted(sources) if n.endswith(".c") and n not in footprint.SELFTEST_SOURCES]
    classes = [label.label for label in manifest.labels]
    values = {
        "VERSION": __version__,
        "MODEL": f"{manifest.name} {manifest.version}",
        "CLASSES": ", ".join(classes),
        "TARGET": f"{target.name}: {target.part}",
        "PROCESSOR": target.processor.name if target.processor else "Cortex-M33 with FPU and DSP",
        "FLAGS": " ".join(flags),
        "LICENCE": manifest.provenance.licence,
        "LIBM": "" if fixed else "(on machines without FPU instructions also libm) ",
        "FPU": "" if fixed else "\tselect FPU\n",
        **facts,
    }
    made = {}
    for path in sorted(TEMPLATES.rglob("*")):
        if path.is_file() and not _is_waste(path):
            name = path.relative_to(TEMPLATES).as_posix()
            folder = "../src" if name.startswith("zephyr/") else "src"
            listed = "".join(f"  {folder}/{source}\n" for source in library)
            made[name] = _filled(path.read_text(encoding="utf-8"), {**values, "SOURCES": listed})
    return made


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], text)


def _is_waste(path: Path) -> bool:
    return path.name.startswith(".") or path.suffix == ".pyc"


def _config(waiting: Buffers, rules: TrackerRules) -> str:
    sizes = (
        f"#define AED_PCM_SAMPLES {waiting.pcm_samples} /* behind the interrupt */\n"
        f"#define AED_ROWS {waiting.rows} /* of mels */\n"
        f"#define AED_LEVELS {waiting.levels} /* of 10 ms */\n"
        f"#define AED_DC_SHARE {share(rules.spec.sample_rate_hz)} /* 2^-38, of a sample in the slow mean */\n"
    )
    origin = rules.origin.replace("*/", "* /")
    first = f"/* Room for what waits, in powers of two, for {origin} */\n"
    return first + header("AED_CONFIG_H", [sizes])


def _headers(written: Mapping[str, str], generated: Mapping[str, str]) -> list[str]:
    """Return the hand-written headers that files include, and those that they include."""
    found: list[str] = []
    texts = [*written.values(), *generated.values()]
    while texts:
        for name in re.findall(r'^#include "([^"]+)"', texts.pop(), re.M):
            if name not in (*found, *generated, *_LATER):
                found.append(name)
                texts.append((CSRC / name).read_text(encoding="utf-8"))
    return sorted(found)
