"""The verdict on a chaos run: what a recording proxy saw, against what was committed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from benchmarks.chaos_ledger import Content, Ledger, Number, content, number
from benchmarks.mqtt_packets import FAILURE
from benchmarks.mqtt_recorder import Passed

_NO_MATCHING_SUBSCRIBERS = 0x10


@dataclass(frozen=True)
class Verdict:
    """What came of the events of a run.

    Attributes
    ----------
    events : int
        Committed to the outbox.
    lost : int
        Committed and never acknowledged with success to the proxy.
    repeated : int
        Deliveries of an event after its first.
    changed : int
        Events that a repetition, or a witness of the commit, tells differently.
    out_of_order : int
        Events that came, or were acknowledged, after a later one of their source.
    unannounced_holes : int
        Numbers that a subscriber misses in an epoch, and that nobody has announced.
    open_ids : int
        Sounds that have started and not ended.
    uncommitted : int
        Events that were sent without a number that the store has given out.
    nobody_subscribed, lost_by_broker : int
        Acknowledged, but the broker said that nobody was there to get it; or it never came to the
        subscriber, which its session at the broker should have outlived.
    examples : dict
        The first few numbers of each kind of fault.
    """

    events: int
    lost: int
    repeated: int
    changed: int
    out_of_order: int
    unannounced_holes: int
    open_ids: int
    uncommitted: int
    nobody_subscribed: int
    lost_by_broker: int
    examples: dict[str, list[str]] = field(default_factory=dict, compare=False)

    @property
    def figures(self) -> dict[str, int]:
        """Return the counts."""
        return {name: value for name, value in asdict(self).items() if name != "examples"}

    @property
    def good(self) -> bool:
        """Whether every promise was kept; what is repeated or lost by the broker breaks none."""
        reached = self.lost + self.unannounced_holes + self.open_ids
        told = self.changed + self.out_of_order + self.uncommitted
        return self.events > 0 and reached + told == 0


def judge(passed: Sequence[Passed], ledger: Ledger, received: set[Number], node: str) -> Verdict:
    """Return the verdict.

    Parameters
    ----------
    passed : sequence of Passed
        What the proxy has seen, in order.
    ledger : Ledger
        What was committed.
    received : set of Number
        What the subscriber of the broker has got.
    node : str
        The daemon's name, under the prefix `aed`.
    """
    events: list[tuple[Passed, Content]] = []
    announced: set[Number] = set()
    for one in passed:
        topic = one.message.topic
        if topic.startswith(f"aed/{node}/") and topic.endswith("/event"):
            events.append((one, content(one.message.payload)))
        elif topic == f"aed/{node}/bridge/outbox_dropped" and _acknowledged(one):
            announced |= _hole(one.message.payload)
    taken = [(one, event) for one, event in events if _acknowledged(one)]
    sent = {number(event) for _, event in events}
    acknowledged = {number(event) for _, event in taken}
    heard = {number(event) for one, event in taken if one.code != _NO_MATCHING_SUBSCRIBERS}
    committed = ledger.committed
    found: dict[str, Iterable[Number | str]] = {
        "lost": committed - acknowledged,
        "changed": ledger.changed | _changed([event for _, event in events], ledger),
        "out_of_order": _late(event for _, event in events) | _late(event for _, event in taken),
        "unannounced_holes": _missing(acknowledged) - announced,
        "open_ids": _open(event for _, event in taken),
        "uncommitted": sent - committed,
    }
    counts = {name: len(set(numbers)) for name, numbers in found.items()}
    return Verdict(
        events=len(committed),
        repeated=len(events) - len(sent),
        nobody_subscribed=len(acknowledged - heard),
        lost_by_broker=len(heard - received),
        examples={
            name: [str(one) for one in sorted(set(map(str, some)))[:5]]
            for name, some in found.items()
            if some
        },
        **counts,
    )


def _acknowledged(one: Passed) -> bool:
    return one.code is not None and one.code < FAILURE


def _hole(payload: bytes) -> set[Number]:
    hole = json.loads(payload)
    return {(hole["epoch"], seq) for seq in range(hole["first_seq"], hole["last_seq"] + 1)}


def _changed(events: Iterable[Content], ledger: Ledger) -> set[Number]:
    """Return what does not say the same every time."""
    known, changed = dict(ledger.contents), set()
    for event in events:
        if known.setdefault(number(event), event) != event:
            changed.add(number(event))
    return changed


def _late(events: Iterable[Content]) -> set[Number]:
    """Return what comes for the first time after a later event of its source; epochs go by their first."""
    epochs: dict[str, int] = {}
    newest: dict[str, tuple[int, int]] = {}
    seen: set[Number] = set()
    late: set[Number] = set()
    for event in events:
        if number(event) in seen:
            continue
        seen.add(number(event))
        place = epochs.setdefault(event["epoch"], len(epochs)), event["seq"]
        if place < newest.get(event["source"], place):
            late.add(number(event))
        newest[event["source"]] = max(place, newest.get(event["source"], place))
    return late


def _missing(numbers: set[Number]) -> set[Number]:
    """Return the holes below the highest number of each epoch."""
    by_epoch: dict[str, set[int]] = defaultdict(set)
    for epoch, seq in numbers:
        by_epoch[epoch].add(seq)
    return {(epoch, seq) for epoch, seqs in by_epoch.items() for seq in set(range(max(seqs))) - seqs}


def _open(events: Iterable[Content]) -> set[str]:
    """Return the ids whose last word is not an end, whatever was repeated after it."""
    ended, seen = set(), set()
    for event in events:
        seen.add(event["id"])
        if event["type"] == "end":
            ended.add(event["id"])
    return seen - ended
