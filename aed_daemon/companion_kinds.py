"""The kinds of companions: when there is to be one, and what makes it."""

from __future__ import annotations

from aed_daemon.companions import Companion, Kind, Surroundings
from aed_daemon.config import Config
from aed_daemon.errors import ConfigError


def _clips(around: Surroundings) -> Companion:
    from aed_daemon.clips.clips import make_clips

    return make_clips(around)


def _history(around: Surroundings) -> Companion:
    from aed_daemon.history.companion import make

    return make(around)


def _metrics_wanted(config: Config) -> object | None:
    """Metrics are kept where the web server runs: nobody could read them otherwise."""
    if not (config.web.enabled and config.metrics.enabled):
        return None
    # A series begins with its source and its class.
    return config.metrics, [source.name for source in config.source], config.detection


def _make_metrics(around: Surroundings) -> Companion:
    try:
        from aed_daemon.metrics.metrics import Metrics
    except ImportError as error:
        raise ConfigError(
            f"metrics need a package that is not installed ({error.name})",
            hint="Install aed-daemon[web], or set metrics.enabled = false.",
        ) from None
    return Metrics(around)


METRICS = Kind(_metrics_wanted, _make_metrics)


def _web_wanted(config: Config) -> object | None:
    sources = [(source.name, source.type) for source in config.source]
    return (config.web, config.node, sources) if config.web.enabled else None


def _make_web(around: Surroundings) -> Companion:
    try:
        from aed_daemon.web.web import Web
    except ImportError as error:
        raise ConfigError(
            f"the live page needs a package that is not installed ({error.name})",
            where="web.enabled",
            hint="Install it: pip install 'aed-daemon[web]', or on Debian 13 apt-get install "
            "python3-starlette python3-uvicorn; or set web.enabled = false.",
        ) from None
    return Web(around)


WEB = Kind(_web_wanted, _make_web)

KINDS: tuple[Kind, ...] = (
    Kind(
        lambda config: (config.clips, config.detection, config.node) if config.clips.enabled else None,
        _clips,
    ),
    Kind(
        lambda config: (config.history, config.model, config.node) if config.history.enabled else None,
        _history,
    ),
    METRICS,
    WEB,
)
"""A kind stands after those that it has a use for."""
