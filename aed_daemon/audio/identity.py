"""Which sound card is meant, whatever its number is today: by USB identity, USB port or ALSA id.

Cards are numbered in the order in which they are found, so a number, and "hw:1,0" with it, may be
another card's after a restart or a replug. The kernel tells in /sys/class/sound what they are.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from aed_daemon.errors import AudioError

IDENTITY = (
    r"usb:[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}(:.+)?"  # vendor, product, serial number
    r"|usb:\d+-\d+(\.\d+)*"  # port, as the kernel names it
    r"|card:[A-Za-z0-9_-]+"  # ALSA's id of the card
)
"""What an identity looks like: "usb:0d8c:0014:A1B2", "usb:1-1.3", "card:Device"."""

_HINT = "`aed-daemon devices` shows what there is."


def is_identity(device: str) -> bool:
    """Return whether a device is named by its identity."""
    return device.startswith(("usb:", "card:"))


@dataclass(frozen=True)
class UsbDevice:
    """The USB device that a card is part of.

    Attributes
    ----------
    vendor, product : str
        Four hex digits each.
    serial : str or None
        Its serial number, where it has one. Cheap ones have none, or all the same.
    port : str
        Where it is plugged in, as the kernel names it: bus, then the port of each hub, "1-1.3".
    """

    vendor: str
    product: str
    serial: str | None
    port: str


@dataclass(frozen=True)
class Card:
    """A sound card that can capture.

    Attributes
    ----------
    number : int
        ALSA's number of it, today.
    card_id : str
        ALSA's id: "Device", and "Device_1" for a second one of the kind.
    capture : int
        The first of its PCM devices that captures.
    usb : UsbDevice or None
        None for a card that is not on USB.
    """

    number: int
    card_id: str
    capture: int
    usb: UsbDevice | None

    @property
    def alsa_name(self) -> str:
        """Its name for ALSA, today."""
        return f"hw:{self.number},{self.capture}"

    def names(self) -> list[str]:
        """Return all identities of it, the most lasting first."""
        found = []
        if self.usb:
            model = f"usb:{self.usb.vendor}:{self.usb.product}"
            found = [f"{model}:{self.usb.serial}"] if self.usb.serial else []
            found += [model, f"usb:{self.usb.port}"]
        return [*found, f"card:{self.card_id}"]

    def is_called(self, identity: str) -> bool:
        """Return whether an identity names it; hex digits may be of either case."""
        head, _, rest = identity.partition(":")
        wanted = f"{head}:{rest[:9].lower()}{rest[9:]}" if head == "usb" else identity
        return wanted in self.names()

    def __str__(self) -> str:
        place = f", port {self.usb.port}" if self.usb else ""
        return f'{self.names()[0]} (card {self.number} "{self.card_id}"{place})'


def cards(root: Path = Path("/")) -> list[Card]:
    """Return the cards that can capture, by their numbers.

    Parameters
    ----------
    root : Path
        Where sys lies.
    """
    found = []
    for place in (root / "sys/class/sound").glob("card*"):
        with contextlib.suppress(OSError, ValueError):  # it is being pulled out
            captures = [
                int(match[1]) for pcm in place.glob("pcmC*D*c") if (match := re.search(r"D(\d+)c$", pcm.name))
            ]
            if captures:
                number, card_id = int(place.name.removeprefix("card")), _read(place / "id")
                found.append(Card(number, card_id, min(captures), _usb(place.resolve())))
    return sorted(found, key=lambda card: card.number)


def resolve(identity: str, root: Path = Path("/")) -> str:
    """Return what ALSA calls the card of an identity at this moment, such as "hw:1,0".

    Raises
    ------
    AudioError
        Where no card has it, or several do: then it names them.
    """
    there = cards(root)
    found = [card for card in there if card.is_called(identity)]
    if len(found) == 1:
        return found[0].alsa_name
    if found:
        ports = " or ".join(f'"usb:{card.usb.port}"' for card in found if card.usb)
        raise AudioError(
            f"several microphones are {identity}",
            where=f"microphone {identity}",
            expected="one",
            got=", ".join(map(str, found)),
            hint=f"Name it by its port: device = {ports}.",
            code="misconfigured",
        )
    raise AudioError(
        f"no microphone is {identity}",
        where=f"microphone {identity}",
        got=f"there is {', '.join(map(str, there)) or 'none'}",
        hint=_HINT,
    )


def best_identity(card: Card, there: list[Card]) -> str:
    """Return the most lasting identity that this card alone has among those there are."""
    return next(
        (name for name in card.names() if sum(other.is_called(name) for other in there) == 1), card.alsa_name
    )


def identity_of(device_name: str, there: list[Card]) -> str | None:
    """Return the identity to write into the configuration for a device that a back-end lists.

    Parameters
    ----------
    device_name : str
        As PortAudio or arecord tells it: hardware ends in "(hw:1,0)" or "(hw:CARD=Device,DEV=0)".
    there : list of Card
        From `cards`.
    """
    match = re.search(r"\(hw:(?:CARD=)?([^,)]+)(?:,(?:DEV=)?(\d+))?\)$", device_name)
    for card in there:
        if match and match[1] in (str(card.number), card.card_id) and int(match[2] or 0) == card.capture:
            return best_identity(card, there)
    return None


def _usb(card: Path) -> UsbDevice | None:
    """Return the USB device above a card's place in /sys/devices."""
    for above in card.parents:
        if (above / "idVendor").is_file():
            serial = _read(above / "serial") if (above / "serial").is_file() else ""
            return UsbDevice(
                _read(above / "idVendor"), _read(above / "idProduct"), serial or None, above.name
            )
    return None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip()
