"""`python -m tests.fuzz.load_models ENGINE FIRST COUNT`: load models and run them, in a process of their own.

Prints each number before it is tried, so that whoever reads knows at which one a runtime took the process
along.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from aed_daemon.errors import ModelError
from aed_daemon.inference import load_classifier
from tests.fuzz import clean
from tests.fuzz.model import with_manifest


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(engine: str, first: int, count: int) -> None:
    """Load models `first` and the `count` - 1 after it."""
    patch = np.zeros((96, 64), np.float32)
    ran = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            tell(str(seed))
            try:
                classifier = load_classifier(with_manifest(seed, Path(folder)), engine)  # type: ignore[arg-type]
            except ModelError as error:
                clean(error)
                continue
            classifier.scores(patch)
            ran += 1
    tell(f"ran {ran}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
