"""The configuration of the metrics."""

from __future__ import annotations

from pydantic import Field

from aed_daemon.config_types import Section


class MetricsConfig(Section):
    """Figures for Prometheus, on `/metrics`. They are kept only where the web server serves them."""

    enabled: bool = Field(default=True, description="Whether they are kept.")
