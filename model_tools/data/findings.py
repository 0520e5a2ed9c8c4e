"""What is wrong with sounds, each with the file and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """Something that a user should know or mend.

    Attributes
    ----------
    level : "error" or "warning"
        An error keeps the file from being used; a warning does not.
    where : str
        File, or class.
    what : str
        What is wrong, as a sentence without its final stop.
    remedy : str
        What to do, as a full sentence.
    """

    level: Literal["error", "warning"]
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.what}. {self.remedy}"
