"""From a source's configuration to what opens it; devices are touched only when it is opened."""

from __future__ import annotations

from collections.abc import Callable

from aed_daemon.audio.child import Child
from aed_daemon.audio.reader import Conditioning
from aed_daemon.audio.source import Source
from aed_daemon.config_sources import (
    CommandSource,
    DemoSource,
    FileSource,
    MicrophoneSource,
    StdinSource,
)
from aed_daemon.config_sources import Source as SourceConfig


def conditioning_of(config: SourceConfig) -> Conditioning:
    """Return how the source becomes one channel."""
    return Conditioning(config.channel, config.gain_db, config.dc_block_hz)


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
            ready = [child]
            return lambda: _microphone(config, ready.pop() if ready else None)
        case FileSource():
            return lambda: _file(config)
        case StdinSource():
            return lambda: _stdin(config)
        case CommandSource():
            return lambda: _command(config)
        case DemoSource():
            return lambda: _demo(config)


def _microphone(config: MicrophoneSource, child: Child | None) -> Source:
    from aed_daemon.audio.capture import MicrophoneSource as Microphone

    return Microphone(
        config.device,
        rate_hz=config.rate_hz,
        channels=config.channels,
        need_channels=config.need_channels,
        sample_format=config.sample_format,
        stall_timeout_s=config.stall_timeout_s,
        child=child,
    )


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
