"""Access: who may ask, told by the token, the name that the browser used, and the page that asks."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from pathlib import Path

from aed_daemon.config_web import is_loopback
from aed_daemon.errors import ConfigError

COOKIE = "aed_session"

_LEAST_CHARACTERS = 16


def load_token(path: Path) -> str:
    """Return the first line of a file.

    Raises
    ------
    ConfigError
        The file cannot be read, or what it holds is no token.
    """
    where, hint = "web.token_file", f"Make one: openssl rand -hex 16 > {path}"
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not ASCII text", where=where, hint=hint) from None
    except OSError as error:
        text = f"cannot read {path} ({error.strerror or error})"
        raise ConfigError(
            text, where=where, hint="Check that it exists and that the daemon's user may read it."
        ) from None
    token = lines[0].strip() if lines else ""
    if len(token) < _LEAST_CHARACTERS or not token.isprintable() or " " in token:
        raise ConfigError(
            f"the first line of {path} is no token",
            where=where,
            expected=f"at least {_LEAST_CHARACTERS} characters, without spaces",
            got=f"{len(token)} characters",
            hint=hint,
        )
    return token


def host_of(header: str) -> str:
    """Return the name or address in a Host header, without its port; empty for what is none."""
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+?)\.?)(?::\d{1,5})?", header.strip().lower())
    return (found[1] or found[2]) if found else ""


class Access:
    """Decides about requests by their headers alone.

    Parameters
    ----------
    token : str or None
        What visitors have to show; None: nothing, and they have to be on this machine.
    names : iterable of str
        Host names that browsers may use, besides addresses and this machine's own.
    """

    def __init__(self, token: str | None, names: Iterable[str] = ()) -> None:
        self._token = token
        own = socket.gethostname().lower()
        self._names = {name.lower().strip("[]").rstrip(".") for name in names} | {"localhost"}
        if token is not None:
            self._names |= {own, f"{own}.local"}
        # Whoever reads the cookie does not have the token, and a new token makes all cookies worthless.
        self._session = hmac.new(
            (token or "").encode(), b"aed-daemon web session", hashlib.sha256
        ).hexdigest()

    @property
    def guarded(self) -> bool:
        """Whether a token is needed."""
        return self._token is not None

    @property
    def session(self) -> str:
        """What the cookie of a visitor holds who has given the token."""
        return self._session

    def knows(self, host: str) -> bool:
        """Return whether a Host header names this daemon, and not a domain that was rebound to it.

        An address cannot be rebound. Where no token protects the page, only this machine's are taken.
        """
        name = host_of(host)
        if name in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return self.guarded or is_loopback(name)

    def may_enter(self, token: str) -> bool:
        """Return whether a token is the right one, in a time that does not tell how much of it is."""
        return self._token is not None and hmac.compare_digest(token.encode(), self._token.encode())

    def admits(self, authorization: str | None, cookie: str | None) -> bool:
        """Return whether a request shows the token, as a bearer's or by its cookie."""
        if not self.guarded:
            return True
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and self.may_enter(token.strip()):
            return True
        found = _cookie(cookie)
        return found is not None and hmac.compare_digest(found.encode(), self._session.encode())


def is_foreign(host: str, origin: str | None, site: str | None, mode: str | None) -> bool:
    """Return whether a request comes from another site's page.

    Parameters
    ----------
    host, origin, site, mode : str
        The headers Host, Origin, Sec-Fetch-Site and Sec-Fetch-Mode. A browser sends the last two with
        every request and lets no page change them; other programs send none of the three.
    """
    if origin is not None and origin.partition("//")[2].lower() != host.strip().lower():
        return True
    return site in ("cross-site", "same-site") and mode != "navigate"


def _cookie(header: str | None) -> str | None:
    try:
        jar: SimpleCookie = SimpleCookie(header or "")
    except CookieError:
        return None
    return jar[COOKIE].value if COOKIE in jar else None
