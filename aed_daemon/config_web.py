"""The configuration of the live page."""

from __future__ import annotations

from ipaddress import ip_address

from pydantic import Field, model_validator

from aed_daemon.config_types import FilePath, Host, KeyPath, MisfitError, Section


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own, out of reach for others."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class WebConfig(Section):
    """The live page, and what other programs ask over HTTP. Off by default; docs/web.md has the rules."""

    enabled: bool = Field(default=False, description="Whether there is one.")
    host: Host = Field(
        default="127.0.0.1",
        description="Address that it listens at; 0.0.0.0 or :: for every address of this machine. Beyond "
        "this machine `token_file` is needed.",
    )
    port: int = Field(default=8770, ge=1, le=65_535, description="Port.")
    token_file: FilePath | None = Field(
        default=None,
        description="File whose first line is the token that visitors have to give, at least 16 characters.",
    )
    names: list[Host] = Field(
        default=[],
        description="Further host names that browsers reach it by, such as a reverse proxy's. Addresses, "
        "localhost and this machine's own name (also with .local) need not be listed.",
    )
    max_viewers: int = Field(
        default=256, ge=1, le=1_000, description="Most pages that are open at the same time."
    )

    @model_validator(mode="after")
    def _guarded(self) -> WebConfig:
        faults: list[tuple[KeyPath, str]] = []
        if self.enabled and self.token_file is None and not is_loopback(self.host):
            text = f"host {self.host} can be reached from other machines; that needs a token_file"
            faults.append((("host",), text))
        if faults:
            raise MisfitError(*faults)
        return self
