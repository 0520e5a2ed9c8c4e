"""The energy gate: where nothing is loud enough to matter, the network is spared."""

from __future__ import annotations


class EnergyGate:
    """An absolute level with hysteresis, on the loudest 10 ms frame of a patch.

    Absolute on purpose: an adaptive one would swallow rain, sea and helicopters. Training,
    evaluation, daemon and firmware use the same rule.

    Parameters
    ----------
    open_cdb, close_cdb : int
        It opens at `open_cdb` and closes below `close_cdb`, in 0.01 dBFS.
    """

    def __init__(self, open_cdb: int, close_cdb: int) -> None:
        self._open_cdb, self._close_cdb = open_cdb, close_cdb
        self.reset()

    def reset(self) -> None:
        """Close it."""
        self._is_open = False

    def passes(self, loudest_cdb: int) -> bool:
        """Take the loudest frame of the next patch and return whether the network should see it."""
        self._is_open = loudest_cdb >= (self._close_cdb if self._is_open else self._open_cdb)
        return self._is_open
