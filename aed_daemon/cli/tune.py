"""`aed-daemon tune`: thresholds for a wanted rate of false alarms, from the history."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from aed_daemon.cli.history_file import archive_of
from aed_daemon.config_file import find_config
from aed_daemon.errors import AedError, ConfigError
from aed_daemon.tuning.choose import DAY_S, Proposal, Support, choose, probability, support
from aed_daemon.tuning.evidence import gather


def execute(args: argparse.Namespace) -> int:
    """Propose thresholds, show the trade-off, and write them where that is wanted."""
    archive = archive_of(args)
    evidence = gather(archive, args.since, args.until, args.classes, args.source)
    missing = sorted(set(args.classes) - {one.class_ for one in evidence})
    if missing:
        known = ", ".join(archive.classes()) or "none"
        raise ConfigError(f"nothing was logged of {', '.join(missing)}", expected=f"of these: {known}")
    evidence = [one for one in evidence if one.heard_s > 0]
    if not evidence:
        raise AedError("nothing was logged in that time", where=str(archive.path))
    proposals = choose(evidence, args.false_alarms_per_day, assume_wrong=args.assume_wrong)
    carries = support(proposals, args.false_alarms_per_day)
    _show(proposals, carries, args)
    if args.plot:
        from aed_daemon.tuning.plot_svg import write

        write(args.plot, proposals, f"Thresholds for {args.false_alarms_per_day:g} false alarms a day")
        print(f"\nplot: {args.plot}")
    if not carries.enough:
        raise AedError(
            f"what was logged cannot promise {args.false_alarms_per_day:g} false alarms a day",
            expected=f"{_hours(carries.needed_s)} of sound",
            got=_hours(carries.heard_s),
            hint=f"Listen for {_hours(carries.needed_s - carries.heard_s)} more, or allow "
            f"{args.false_alarms_per_day * carries.needed_s / carries.heard_s:.3g} a day.",
        )
    settled = {
        one.evidence.class_: probability(one.steps, one.evidence.scale)
        for one in proposals
        if one.decided and one.steps is not None and one.steps != one.evidence.on_steps
    }
    return _write(args, settled) if args.write else 0


def _show(proposals: Sequence[Proposal], carries: Support, args: argparse.Namespace) -> None:
    from aed_daemon.tuning.plot_text import LEGEND, plot

    print(f"{args.false_alarms_per_day:g} false alarms a day of sound are allowed, all classes together.")
    if args.assume_wrong:
        print("Everything that is not labelled right counts as a false alarm.")
    print(LEGEND)
    for one in proposals:
        print()
        print("\n".join([_heading(one), *plot(one), *_remarks(one)]))
    least, likely, most = carries.per_day
    count = carries.false_alarms
    left_over = [one.evidence.class_ for one in proposals if not one.decided]
    without = f", without {', '.join(left_over)}" if left_over else ""
    print(
        f"\nIn {_hours(carries.heard_s)} of sound the proposals{without} would have let through "
        f"{count} false alarms:\n{likely:.3g} a day, 90 % sure between {least:.3g} and {most:.3g}."
    )


def _heading(proposal: Proposal) -> str:
    evidence = proposal.evidence
    now = probability(evidence.on_steps, evidence.scale)
    false_now = evidence.possibly_false()[evidence.on_steps] / evidence.heard_s * DAY_S
    text = f"{evidence.class_}: threshold_on {now:g}, {false_now:.3g} a day"
    if proposal.steps is None:
        return f"{text} -> no threshold keeps to it"
    new = probability(proposal.steps, evidence.scale)
    rate = proposal.false_alarms / evidence.heard_s * DAY_S
    kept = "" if proposal.kept is None else f", {proposal.kept:.0%} of the true sounds found"
    return f"{text} -> {new:g}, {rate:.3g} a day{kept}"


def _remarks(proposal: Proposal) -> list[str]:
    evidence, remarks = proposal.evidence, []
    if evidence.left_out_s:
        left_out = _hours(evidence.left_out_s)
        remarks.append(f"  {left_out} with another model, engine or rule are left out.")
    if proposal.steps is None:
        remarks.append("  Its scores do not tell: label its sounds, or set enabled = false for it.")
    elif not proposal.decided and proposal.least_steps is not None:
        least = probability(proposal.least_steps, evidence.scale)
        remarks.append(
            f"  Not settled, and not written: {proposal.to_label} sounds without a label decide whether "
            f"{least:g} is enough."
        )
        remarks.append(
            f"  See `aed-daemon events --class {evidence.class_} --kind all --labels none`, then "
            "`aed-daemon label ID right|wrong`;"
        )
        remarks.append("  or --assume-wrong, if none of it can have been real.")
    elif proposal.steps == evidence.off_steps:
        remarks.append("  It goes no lower than threshold_off: what was under it was not counted.")
    return remarks


def _write(args: argparse.Namespace, settled: dict[str, float]) -> int:
    from aed_daemon.tuning.rewrite import rewritten, write

    if not settled:
        print("\nNothing to write.")
        return 1
    path: Path | None = args.config or find_config(os.environ)
    if path is None:
        raise ConfigError("there is no configuration to write into", hint="Name it with --config.")
    rewrite = rewritten(path, settled)
    print(f"\n{rewrite.diff()}", end="")
    if not args.yes and not _agreed(path):
        print("Nothing was written.")
        return 1
    write(rewrite)
    print(f"{path} is written. `systemctl reload aed-daemon`, or SIGHUP, takes it over.")
    for slug in settled:
        if f"AED__DETECTION__CLASSES__{slug}__THRESHOLD_ON".upper() in {name.upper() for name in os.environ}:
            print(f"The environment sets the threshold of {slug}, and wins over the file.", file=sys.stderr)
    return 0


def _agreed(path: Path) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("nobody can be asked here", where=str(path), hint="Say --yes to write it.")
    print(f"Write this into {path}? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _hours(seconds: float) -> str:
    if seconds < 3_600:
        return f"{seconds / 60:.1f} minutes"
    return f"{seconds / 3_600:.1f} hours" if seconds < 4 * DAY_S else f"{seconds / DAY_S:.1f} days"
