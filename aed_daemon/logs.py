"""Messages on standard error: for people on a terminal, as JSON lines for a journal or a file."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from aed_daemon.config import LogConfig

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""syslog(3)'s numbers; journald takes them from the front of a line (sd-daemon(3))."""


def configure(config: LogConfig, stream: TextIO | None = None, env: Mapping[str, str] | None = None) -> None:
    """Send the messages of this program, and of libraries, to standard error.

    Parameters
    ----------
    config : LogConfig
        Least severity and format.
    stream : text stream, optional
        Stands for standard error.
    env : mapping, optional
        Stands for the environment.
    """
    stream = sys.stderr if stream is None else stream
    env = os.environ if env is None else env
    console = config.format == "console" or (config.format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
    ]
    final: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if console:
        colors = stream.isatty() and "NO_COLOR" not in env
        plain = structlog.dev.plain_traceback
        final.append(structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, exception_formatter=plain))
    else:
        final += [structlog.processors.format_exc_info, _Json(priorities=_is_journal(stream, env))]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=final))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(config.level.upper())
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(config.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a reload may change the level
    )


class _Json:
    """Writes a message as a line of JSON, its priority before it where journald takes that off again."""

    def __init__(self, *, priorities: bool) -> None:
        self._render = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        self._priorities = priorities

    def __call__(self, logger: WrappedLogger, name: str, fields: EventDict) -> str:
        priority = f"<{_PRIORITIES.get(str(fields.get('level')), 6)}>" if self._priorities else ""
        line = self._render(logger, name, fields)
        text = line.decode() if isinstance(line, bytes) else line
        return priority + text.encode(errors="backslashreplace").decode()


def _is_journal(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Return whether a stream goes to journald, which says so by device and inode (systemd.exec(5))."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # a stream that is no file
        return False
    return env.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"
