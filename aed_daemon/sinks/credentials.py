"""Credentials: the password and certificates that the configuration names, read and checked once."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from aed_daemon.config import MqttConfig, TlsConfig
from aed_daemon.errors import ConfigError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What it takes to be let in. The password is kept out of `repr`, and so out of logs."""

    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho leaves that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:  # ssl.SSLError and time-outs are such
            self.close()
            raise


def load_credentials(config: MqttConfig) -> Credentials:
    """Read everything that the configuration names.

    Raises
    ------
    ConfigError
        A file is missing, unreadable or not what it should be; `where` is the key that names it.
    """
    tls = _tls_context(config.tls) if config.tls.enabled else None
    return Credentials(config.username, _password(config), tls)


def _password(config: MqttConfig) -> str | None:
    if config.password_file is not None:
        key, path = "mqtt.password_file", config.password_file
    elif config.password_credential is not None:
        key = "mqtt.password_credential"
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise ConfigError(
                f"no systemd credential '{config.password_credential}': CREDENTIALS_DIRECTORY is not set",
                where=key,
                hint="Add LoadCredential= to the unit, or name a file with mqtt.password_file.",
            )
        path = Path(folder) / config.password_credential
    else:
        return None
    try:
        text = _read(key, path).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text", where=key) from None
    password = text.split("\n", 1)[0].rstrip("\r")
    if not password:
        raise ConfigError(f"the first line of {path} is empty", where=key, expected="the password")
    if path.stat().st_mode & 0o004:
        _log.warning("password_file_is_world_readable", key=key, path=str(path), hint=f"chmod 600 {path}")
    return password


def _tls_context(config: TlsConfig) -> ssl.SSLContext:
    if config.ca_file is not None:
        _read("mqtt.tls.ca_file", config.ca_file)
    try:
        context = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"{config.ca_file} holds no usable certificate ({error})",
            where="mqtt.tls.ca_file",
            expected="PEM",
        ) from None
    context.sslsocket_class = _TidySocket
    if config.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        _log.warning("tls_accepts_any_certificate", key="mqtt.tls.insecure", hint="For a test bench only.")
    if config.cert_file is not None and config.key_file is not None:
        _read("mqtt.tls.cert_file", config.cert_file)
        _read("mqtt.tls.key_file", config.key_file)
        try:  # a password that is never right: without one, OpenSSL would ask on the terminal
            context.load_cert_chain(config.cert_file, config.key_file, password=lambda: b"\x00")
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(
                f"{config.cert_file} and {config.key_file} are no certificate and its key ({error})",
                where="mqtt.tls.cert_file",
                expected="PEM, the key without a passphrase",
            ) from None
    return context


def _read(key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {path} ({error.strerror or error})",
            where=key,
            hint="Check that it exists and that the daemon's user may read it.",
        ) from None
