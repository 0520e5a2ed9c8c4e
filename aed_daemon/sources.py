"""From a source's configuration to what opens it; devices are touched only when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aed_daemon.audio.child import Child
from aed_daemon.audio.launch import Request
from aed_daemon.audio.session import Conditioning
from aed_daemon.audio.source import Source
from aed_daemon.config_sources import (
    CommandSource,
    DemoSource,
    FileSource,
    MicrophoneSource,
    StdinSource,
)
from aed_daemon.config_sources import Source as SourceConfig

_PATIENCE_S = 20.0
"""How long a capture process looks for its microphone before a fresh one takes over."""


def conditioning_of(config: SourceConfig) -> Conditioning:
    """Return how the source becomes one channel."""
    return Conditioning(config.channel, config.gain_db, config.dc_block_hz)


def backoff_of(config: SourceConfig) -> tuple[float, float]:
    """Return the first and the longest pause before the source is tried again, seconds.

    A microphone's are short: its capture process does the waiting.
    """
    return (0.1, 0.5) if isinstance(config, MicrophoneSource) else (0.5, 10.0)


def source_maker(config: SourceConfig, child: Child | None = None) -> Callable[[], Source]:
    """Return what makes a fresh, unopened source of this configuration.

    Parameters
    ----------
    config : SourceConfig
        The source.
    child : Child, optional
        A microphone's capture process that has been started; the first source takes it.
    """
    match config:
        case MicrophoneSource():
            attempts = _microphones(config, child)
            return lambda: next(attempts)
        case FileSource():
            return lambda: _file(config)
        case StdinSource():
            return lambda: _stdin(config)
        case CommandSource():
            return lambda: _command(config)
        case DemoSource():
            return lambda: _demo(config)


def _microphones(config: MicrophoneSource, child: Child | None) -> Iterator[Source]:
    """Yield a source for each attempt: the first says at once that there is no device, later ones wait."""
    from aed_daemon.audio.capture import MicrophoneSource as Microphone

    request = Request.of(config)
    yield Microphone(request, stall_timeout_s=config.stall_timeout_s, child=child)
    while True:
        yield Microphone(request, stall_timeout_s=config.stall_timeout_s, patience_s=_PATIENCE_S)


def _file(config: FileSource) -> Source:
    from aed_daemon.audio.file import FileSource as File

    return File(config.path, loop=config.loop, speed=1.0 if config.realtime else None)


def _stdin(config: StdinSource) -> Source:
    from aed_daemon.audio.pcm import StdinSource as Stdin

    return Stdin(config.rate_hz, config.channels, config.sample_format)


def _command(config: CommandSource) -> Source:
    from aed_daemon.audio.pcm import CommandSource as Command

    return Command(config.command, config.rate_hz, config.channels, config.sample_format)


def _demo(config: DemoSource) -> Source:
    from aed_daemon.audio.demo import DemoSource as Demo

    return Demo(seed=config.seed, loop=config.loop, speed=1.0 if config.realtime else None)
