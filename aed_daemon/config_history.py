"""[history]: what is remembered of what was heard."""

from __future__ import annotations

from pydantic import Field

from aed_daemon.config_types import FilePath, Section


class HistoryConfig(Section):
    """What was heard, near misses, scores by the hour and your labels; never sound. See docs/history.md."""

    enabled: bool = Field(default=True, description="Whether it is kept, where there is a place for it.")
    path: FilePath | None = Field(
        default=None, description="File that holds it; unset: history.db in the state directory."
    )
    keep_days: float = Field(default=365.0, gt=0, le=36_500, description="What is older is deleted, days.")
    max_mb: float = Field(
        default=64.0, ge=1, le=100_000, description="Largest the file may be, MB; the oldest goes first."
    )
