"""What the commands share: options, values, a progress bar."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

MODEL_NAME = "yamnet256-esc10"


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add --data and --cache."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="holds esc10/ and negatives/clips/ (default: $AED_DATA_DIR, else ../shared/data)",
    )
    parser.add_argument(
        "--cache", type=Path, default=Path("cache"), metavar="DIR", help="decoded sound (default: cache)"
    )


def fold(text: str) -> int:
    """Read a fold, 0 to 5."""
    value = int(text) if text.isdecimal() else -1
    if not 0 <= value <= 5:
        raise argparse.ArgumentTypeError(f"{text} is not a fold, 0 to 5")
    return value


def positive(text: str) -> int:
    """Read a whole number above 0."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return value


def progress_bar() -> Progress:
    """Return a progress bar on standard error; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True))


def data_folder(arguments: argparse.Namespace) -> Path:
    """Return the folder that holds esc10/ and negatives/."""
    from model_tools.data.clip import data_dir

    return arguments.data or data_dir()
