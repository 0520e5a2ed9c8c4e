"""The pictures of the report, each a PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from model_tools.data.esc10 import LABELS, SLUGS
from model_tools.evaluation.clip_scores import ClipTable, pr_curve
from model_tools.evaluation.deployed import FalseAlarms
from model_tools.evaluation.openset import SCORES, Rotation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 110
_NAMES = [LABELS[slug] for slug in SLUGS]


def drawn(draw: Callable[[Figure], None], width: float, height: float) -> bytes:
    """Return what `draw` draws on a white figure of so many inches, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    draw(figure)
    file = BytesIO()
    # Without the version of matplotlib, the same figures give the same bytes.
    figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})
    return file.getvalue()


def confusion(table: ClipTable) -> bytes:
    """Draw true against found class, in clips."""

    def draw(figure: Figure) -> None:
        axes, matrix = figure.subplots(), table.confusion
        axes.imshow(matrix, cmap="Blues")
        for row, column in zip(*np.nonzero(matrix), strict=True):
            shade = "white" if matrix[row, column] > matrix.max() / 2 else "black"
            axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=shade)
        axes.set_xticks(range(len(_NAMES)), _NAMES, rotation=45, ha="right")
        axes.set_yticks(range(len(_NAMES)), _NAMES)
        axes.set(xlabel="found", ylabel="true")

    return drawn(draw, 6.4, 5.6)


def pr_curves(table: ClipTable) -> bytes:
    """Draw precision against recall of each class."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for number, (slug, name) in enumerate(zip(SLUGS, _NAMES, strict=True)):
            recall, precision, average = pr_curve(table, slug)
            style = "-" if number < 5 else "--"
            axes.plot(recall, precision, style, label=f"{name}, {average:.3f}", color=f"C{number % 5}")
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
        axes.legend(title="average precision", fontsize=8)

    return drawn(draw, 6.4, 4.8)


def score_distributions(table: ClipTable, alarms: FalseAlarms | None) -> bytes:
    """Draw how sure the networks are: of clips, right and wrong, and where no class sounds."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        largest, bins = table.means.max(axis=1), np.linspace(0, 1, 21)
        left.hist([largest[table.right], largest[~table.right]], bins, stacked=True, label=["right", "wrong"])
        left.set(xlabel="largest mean probability", ylabel="clips")
        left.legend()
        if alarms is None:
            right.set_axis_off()
            return
        for real, name in ((True, "recordings"), (False, "synthesised")):
            counts = alarms.scores[real][::-1].cumsum()[::-1]
            if counts[0]:
                right.step(np.arange(256) / 256, np.maximum(counts / counts[0], 1e-7), label=name)
        right.set(xlabel="largest score of a class", ylabel="share of hops that reach it", yscale="log")
        right.set_title("no class sounds", fontsize=10)
        right.legend()

    return drawn(draw, 8.4, 3.4)


def channels(found: Mapping[str, Mapping[str, Any]], clean: float | None) -> bytes:
    """Draw clip accuracy through each channel, with its interval."""

    def draw(figure: Figure) -> None:
        axes, names = figure.subplots(), list(found)
        shares = np.array([found[name]["clip_accuracy"] for name in names])
        bounds = np.array([found[name]["ci95"] for name in names])
        errors = np.maximum(0.0, np.abs(bounds.T - shares))
        axes.barh(names[::-1], shares[::-1], xerr=errors[:, ::-1], color="C0", ecolor="0.4", capsize=3)
        for row, share in enumerate(shares[::-1]):
            axes.text(0.01, row, f"{share:.1%}", va="center", color="white")
        if clean is not None:
            axes.axvline(clean, color="C1", label=f"as recorded, {clean:.1%}")
            figure.legend(loc="outside upper right")
        axes.set(xlabel="clip accuracy", xlim=(0, 1))

    return drawn(draw, 6.4, 3.2)


def latency(latencies: Sequence[float]) -> bytes:
    """Draw the share of events decided by so long after their onset; what was missed never is."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        decided = np.sort([value for value in latencies if np.isfinite(value)])
        share = np.arange(1, len(decided) + 1) / max(1, len(latencies))
        axes.step(decided, share, where="post")
        missed = len(latencies) - len(decided)
        axes.set(xlabel="onset to decision, s", ylabel="share of all events", ylim=(0, 1), xlim=(0, None))
        axes.set_title(f"{len(latencies)} events, {missed} missed", fontsize=10)
        axes.grid(alpha=0.3)

    return drawn(draw, 6.4, 3.4)


def open_set(rotations: Sequence[Rotation]) -> bytes:
    """Draw known clips against unknown ones as the threshold falls, by each score of a clip."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        clips = [clip for rotation in rotations for clip in rotation.clips]
        known = np.array([clip.known for clip in clips])
        for column, name in enumerate(SCORES):
            _roc(axes, np.array([clip.scores[column] for clip in clips]), known, name)
        _roc(axes, np.array([float(clip.needed) for clip in clips]), known, "starts an event")
        axes.axhline(0.85, color="0.6", linewidth=0.8)
        axes.axvline(0.20, color="0.6", linewidth=0.8)
        axes.set(xlabel="share of unknown clips", ylabel="share of known clips", xlim=(0, 1), ylim=(0, 1))
        axes.legend(loc="lower right")

    return drawn(draw, 5.2, 4.6)


def _roc(axes: Axes, scores: Any, known: Any, name: str) -> None:
    edges = np.unique(np.append(scores[scores > 0], np.inf))[::-1]
    axes.plot(
        [float((scores[~known] >= edge).mean()) for edge in edges],
        [float((scores[known] >= edge).mean()) for edge in edges],
        label=name,
    )


def training(histories: Mapping[str, Sequence[Mapping[str, str]]]) -> bytes:
    """Draw loss and accuracy of runs over their epochs, as their history.csv tells them."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for number, (name, rows) in enumerate(histories.items()):
            epochs = [int(row["epoch"]) for row in rows]
            colour = f"C{number % 10}"
            left.plot(epochs, [float(row["loss"]) for row in rows], label=name, color=colour, linewidth=0.8)
            right.plot(epochs, [float(row["accuracy"]) for row in rows], color=colour, linewidth=0.8)
            looked = [row for row in rows if row.get("validation")]
            values = [float(row["validation"]) for row in looked]
            right.plot([int(row["epoch"]) for row in looked], values, "--", color=colour)
        left.set(xlabel="epoch", ylabel="loss")
        right.set(xlabel="epoch", ylabel="accuracy of crops; dashed: validation", ylim=(0, 1))
        if len(histories) <= 10:
            left.legend(fontsize=7)

    return drawn(draw, 8.4, 3.4)
