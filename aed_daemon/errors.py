"""The errors that a user can meet, each with the exit code of the command that it ends."""

from __future__ import annotations


class AedError(Exception):
    """A failure that the user can understand and mend; printed as one line, never as a traceback.

    Parameters
    ----------
    what : str
        What is wrong, as a sentence without its final stop.
    where : str, optional
        File and line, device, topic or field that it concerns; printed first.
    expected, got : str, optional
        What was needed and what was found.
    hint : str, optional
        What to do about it, as a full sentence.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.got, self.hint = what, where, expected, got, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.expected is not None:
            text += f": expected {self.expected}"
        if self.got is not None:
            text += f", got {self.got}" if self.expected is not None else f": got {self.got}"
        text += "."
        if self.hint:
            text += f" {self.hint}"
        return text


class ConfigError(AedError):
    """The configuration is missing, malformed or contradicts itself."""

    exit_code = 2


class ModelError(AedError):
    """The model or its manifest is missing, damaged or not what it says it is."""

    exit_code = 3


class AudioError(AedError):
    """A device, a file or a stream cannot be opened or read.

    Parameters
    ----------
    what, where, expected, got, hint
        As for `AedError`.
    code : str
        In one word, for machines: the `reason` of a source's availability.
    """

    exit_code = 4

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
        code: str = "device_lost",
    ) -> None:
        self.code = code
        super().__init__(what, where=where, expected=expected, got=got, hint=hint)


class BrokerError(AedError):
    """The MQTT broker cannot be reached or refuses."""

    exit_code = 5
