"""Backlog: what waits for delivery, on disk and in memory, and what the disk does not know of yet."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from aed_daemon.events import Event
from aed_daemon.sinks.outbox import Entry, Hole, MemoryOutbox, as_entry, without
from aed_daemon.sinks.shelf import Shelf
from aed_daemon.sinks.store import new_position
from aed_daemon.sinks.store_rows import Carried, Limits, Refusal, Row, StoreFacts, Written

_MEMORY_EVENTS = 10_000  # about 12 MB
_SAVE_AFTER_S = 1.0  # acknowledgements are saved together: one lost repeats a delivery, no more
_SAVE_MOST = 64
_POSITIONS_APART = 1 << 20


@dataclass(frozen=True)
class Unsaved:
    """What the disk does not know of: who was settled, by position, and which holes were announced."""

    settled: dict[int, str | None]
    announced: list[Hole]


@dataclass(frozen=True)
class Work:
    """What goes into one transaction; `trim`: something has waited for too long."""

    generation: int
    drafts: list[Event]
    unsaved: Unsaved
    trim: bool

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.drafts or self.unsaved.settled or self.unsaved.announced or self.trim)


@dataclass(frozen=True)
class Arrival:
    """What a store needs to take over."""

    generation: int
    carried: Carried
    unsaved: Unsaved
    from_memory: bool


class Backlog:
    """Not safe from several threads by itself.

    Parameters
    ----------
    clock, utc : callable
        Monotonic seconds, and seconds since 1970.
    process : int
        Stands for this process in what it stores.
    """

    def __init__(self, clock: Callable[[], float], utc: Callable[[], float], process: int) -> None:
        self._clock, self._utc, self._process = clock, utc, process
        self.shelf = Shelf()
        self.memory: MemoryOutbox | None = None
        """Takes the disk's place for as long as that cannot be used."""
        self.moving = False
        """Whether a store is about to take over: what happens to the memory must be told to it too."""
        self._base = 0  # position of the memory's first event
        self._top = 0  # above every position on disk
        self._disk_depth = 0
        self._disk_holes: list[Hole] = []
        self._dead_letters = 0
        self._unsaved = Unsaved({}, [])
        self._unsaved_since_s: float | None = None

    @property
    def depth(self) -> int:
        """How many events wait."""
        return self._disk_depth + (self.memory.depth if self.memory else 0)

    @property
    def dead_letters(self) -> int:
        """How many events were refused."""
        return self._dead_letters + (self.memory.dead_letters if self.memory else 0)

    @property
    def holes(self) -> list[Hole]:
        """What was dropped and is not announced yet."""
        return self._disk_holes + (self.memory.holes() if self.memory else [])

    @property
    def oldest_s(self) -> float | None:
        """Age of what waits for longest, s."""
        if (oldest := self.shelf.oldest) is not None:
            return max(0.0, self._clock() - oldest.committed_s)
        return self.memory.state.oldest_s if self.memory else None

    @property
    def save_in_s(self) -> float:
        """Time until what is settled ought to be written, s."""
        if len(self._unsaved.settled) >= _SAVE_MOST:
            return 0.0
        since_s = self._unsaved_since_s
        return float("inf") if since_s is None else since_s + _SAVE_AFTER_S - self._clock()

    # Delivery

    def pending(self, limit: int, under_way: Container[int], max_age_s: float) -> Callable[[], list[Entry]]:
        """Return what makes the oldest entries, which takes its time and needs no lock."""
        now_s, base, own = self._clock(), self._base, self._process
        rows = self.shelf.pick(limit, under_way, now_s - max_age_s)
        later: list[Entry] = []
        if self.memory is not None and not self.shelf.more and len(rows) < limit:
            later = self.memory.pending(limit - len(rows), _Shifted(under_way, base))

        def entries() -> list[Entry]:
            first = [
                as_entry(row.position, row.payload, now_s - row.committed_s, replayed=row.process != own)
                for row in rows
            ]
            return first + [Entry(base + entry.position, entry.event, entry.age_s) for entry in later]

        return entries

    def settle(self, position: int, reason: str | None) -> bool:
        """Let an entry go, or put it aside for a reason; return whether the disk is to be told soon."""
        if self.memory is not None and position >= self._base:
            if reason is None:
                self.memory.acknowledge(position - self._base)
            else:
                self.memory.dead_letter(position - self._base, reason)
            if not self.moving:
                return False
        elif self.shelf.take(position) or (self.shelf.more and position > self.shelf.end):
            self._disk_depth -= 1
            self._dead_letters += reason is not None
        else:
            return False  # dropped meanwhile
        self._unsaved.settled[position] = reason
        return self._note()

    def announced(self, hole: Hole) -> bool:
        """Forget a hole; return whether the disk is to be told soon."""
        if self.memory is not None and hole.epoch == self.memory.epoch:
            self.memory.announced(hole)
            if not self.moving:
                return False
        self._disk_holes = without(self._disk_holes, hole)
        self._unsaved.announced.append(hole)
        return self._note()

    def _note(self) -> bool:
        first = self._unsaved_since_s is None
        if first:
            self._unsaved_since_s = self._clock()
        return first or self.save_in_s <= 0 or self.shelf.wants > 0

    # The disk

    def take_unsaved(self) -> Unsaved:
        """Return what is to be written now."""
        unsaved, self._unsaved = self._unsaved, Unsaved({}, [])
        self._unsaved_since_s = None
        return unsaved

    def give_back(self, unsaved: Unsaved) -> None:
        """Take back what could not be written."""
        self._unsaved = Unsaved(
            unsaved.settled | self._unsaved.settled, unsaved.announced + self._unsaved.announced
        )
        self._unsaved_since_s = self._clock()

    def written(self, written: Written, facts: StoreFacts) -> None:
        """Follow what a transaction has done."""
        for position in written.dropped:
            self.shelf.take(position)
        for row in written.rows:
            if row.position not in written.dropped:
                self.shelf.follow(row)
        self._dead_letters += written.invalid
        self._learn(facts)

    def read(self, rows: Iterable[Row], *, all_of_them: bool) -> None:
        """Take rows that were read from the disk."""
        self.shelf.put(rows, self._unsaved.settled)
        self.shelf.more = not all_of_them

    def found(self, facts: StoreFacts | None) -> None:
        """Deliver what can be read of a store that cannot be written; None: what is on the shelf."""
        if facts is None or (self.memory is not None and facts.next_position > self._base):
            self.shelf.more = False
            self._disk_depth = len(self.shelf)
        else:
            self.shelf.read_again()
            self._learn(facts)

    def _learn(self, facts: StoreFacts) -> None:
        self._top = facts.next_position
        self._disk_depth = max(0, facts.depth - len(self._unsaved.settled))
        self._disk_holes = reduce(without, self._unsaved.announced, list(facts.holes))

    # Without the disk, and back

    def leave_disk(self, limits: Limits) -> MemoryOutbox:
        """Return the memory that takes the disk's place."""
        self.moving = False
        if self.memory is None:
            capacity = min(limits.events, _MEMORY_EVENTS)
            self.memory = MemoryOutbox(capacity, self._clock, max_age_s=limits.age_s)
            self._base = max(new_position(self._utc()), self._top + _POSITIONS_APART)
        for position in [position for position in self._unsaved.settled if position >= self._base]:
            del self._unsaved.settled[position]
        return self.memory

    def to_carry(
        self, next_position: int, open_sounds: Sequence[Event], unconfirmed: tuple[str, int] | None
    ) -> tuple[Carried, Unsaved]:
        """Return what a store needs to take over; nothing of it is forgotten yet.

        Parameters
        ----------
        next_position : int
            Above every position in that store.
        open_sounds : sequence of Event
            What has started and not ended.
        unconfirmed : (str, int) or None
            Epoch and seq from which on a store before may hold what has gone into memory.
        """
        self.moving = True
        memory, own = self.memory, self._process
        rows, holes, refusals = list(self.shelf.rows), list[Hole](), list[Refusal]()
        if memory is not None:
            self._base = max(self._base, next_position)  # it grew in a time when clocks were ahead
            rows += [
                Row(self._base + seq, memory.epoch, seq, committed_s, own, payload)
                for seq, payload, committed_s in memory.waiting()
            ]
            holes, now_ts = memory.holes(), self._utc()
            refusals = [Refusal(dead.reason, now_ts, dead.event.to_json()) for dead in memory.refused()]
        carried = Carried(
            rows=rows,
            holes=holes,
            refusals=refusals,
            open_sounds=open_sounds,
            replaces=memory.epoch if memory else None,
            unconfirmed=unconfirmed if memory else None,
        )
        return carried, Unsaved(dict(self._unsaved.settled), list(self._unsaved.announced))

    def arrived(self, saved: Unsaved, facts: StoreFacts) -> None:
        """Go on with a store that has taken over."""
        self._dead_letters = self.dead_letters
        self.memory, self.moving = None, False
        settled = {p: why for p, why in self._unsaved.settled.items() if p not in saved.settled}
        self._unsaved = Unsaved(settled, self._unsaved.announced[len(saved.announced) :])
        self.shelf.read_again()
        self._learn(facts)

    def count_dead_letters(self, count: int) -> None:
        """Count those that earlier processes have put aside."""
        self._dead_letters += count


class _Shifted:
    """Positions in memory, of positions in the backlog."""

    def __init__(self, positions: Container[int], base: int) -> None:
        self._positions, self._base = positions, base

    def __contains__(self, position: object) -> bool:
        return isinstance(position, int) and self._base + position in self._positions
