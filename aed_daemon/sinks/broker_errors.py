"""NoConnectionError: why there is none, in a sentence that says what to do."""

from __future__ import annotations

import re
import socket
import ssl

from aed_daemon.config import MqttConfig
from aed_daemon.errors import BrokerError

_BAD_PROTOCOL = 0x84
_BAD_CLIENT_ID = 0x85
_NOT_LET_IN = frozenset({0x86, 0x87, 0x8A, 0x8C})  # bad user or password, not authorised, banned, bad method


class NoConnectionError(BrokerError):
    """No connection, or no longer.

    Parameters
    ----------
    what, where, hint
        As in `AedError`.
    lasting : bool
        Whether it takes a person to mend it: such a broker is asked again slowly.
    """

    def __init__(
        self, what: str, *, where: str | None = None, hint: str | None = None, lasting: bool = False
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.lasting = lasting


def broker_address(config: MqttConfig) -> str:
    """Return how messages name the broker, such as `MQTT broker localhost:1883`."""
    return f"MQTT broker {config.host}:{config.effective_port}"


def cannot_connect(config: MqttConfig, error: Exception) -> NoConnectionError:
    """Explain why no TCP or TLS connection came about."""
    where = broker_address(config)
    if isinstance(error, ssl.SSLCertVerificationError):
        return NoConnectionError(
            f"TLS: its certificate is not trusted ({error.verify_message})",
            where=where,
            hint="Check mqtt.tls.ca_file, that mqtt.host is a name in the certificate, and this clock.",
            lasting=True,
        )
    if isinstance(error, ssl.SSLError):
        return NoConnectionError(
            f"TLS: the handshake failed ({error.reason or error})",
            where=where,
            hint="Check that mqtt.port is the broker's TLS port, and its TLS version.",
            lasting=True,
        )
    if isinstance(error, socket.gaierror):
        return NoConnectionError(
            f"unreachable: the name does not resolve ({error.strerror})",
            where=where,
            hint="Check mqtt.host and the network's name server.",
        )
    if isinstance(error, ConnectionRefusedError):
        return NoConnectionError(
            "refused: nothing listens on that port",
            where=where,
            hint="Check mqtt.host and mqtt.port, and that the broker runs.",
        )
    if isinstance(error, TimeoutError):
        return NoConnectionError(
            "unreachable: no answer in time",
            where=where,
            hint="Check mqtt.host, the network and the firewall.",
        )
    if config.tls.enabled and isinstance(error, ConnectionError):
        return NoConnectionError(
            "TLS: it closed the connection during the handshake",
            where=where,
            hint="Check that mqtt.port is the broker's TLS port.",
        )
    return NoConnectionError(
        f"unreachable ({error})", where=where, hint="Check mqtt.host, mqtt.port and the network."
    )


def refused(config: MqttConfig, code: int, name: str) -> NoConnectionError:
    """Explain a CONNACK with a failing reason code (those of MQTT 5; paho maps 3.1.1's to them)."""
    where = broker_address(config)
    if code in _NOT_LET_IN:
        said = f"bad credentials ({name})" if config.username else f"it asks for credentials ({name})"
        return NoConnectionError(
            said,
            where=where,
            hint="Check mqtt.username and the password, and the broker's users.",
            lasting=True,
        )
    if code == _BAD_CLIENT_ID:
        return NoConnectionError(
            f"refused: it does not accept the client id ({name})",
            where=where,
            hint="Set mqtt.client_id to one that it accepts.",
            lasting=True,
        )
    if code == _BAD_PROTOCOL:
        return NoConnectionError(
            f"refused: it does not speak MQTT {config.protocol} ({name})",
            where=where,
            hint=_other_protocol(config),
            lasting=True,
        )
    return NoConnectionError(f"refused: {name}", where=where, hint="The broker's log says why.")


def no_answer(config: MqttConfig, detail: str | None, *, closed: bool) -> NoConnectionError:
    """Explain a connection on which no CONNACK came."""
    where = broker_address(config)
    if detail and re.search("ssl|certificate", detail, re.IGNORECASE):
        return NoConnectionError(
            f"TLS: it ended the connection ({detail})",
            where=where,
            hint="It may ask for a client certificate: check mqtt.tls.cert_file and mqtt.tls.key_file.",
            lasting=True,
        )
    if closed:
        tls = "" if config.tls.enabled else " if the port expects TLS, set mqtt.tls.enabled = true;"
        return NoConnectionError(
            "refused: it closed the connection without an answer",
            where=where,
            hint=f"Check mqtt.port;{tls} if it is an old broker, {_other_protocol(config, lower=True)}",
        )
    return NoConnectionError(
        "unreachable: the port is open, but no MQTT answer came",
        where=where,
        hint="Check that mqtt.port is the broker's, and that the broker is not stuck.",
    )


def lost(config: MqttConfig, reason: str | None, detail: str | None) -> NoConnectionError:
    """Explain the end of a connection that had been up."""
    where = broker_address(config)
    if reason and "taken over" in reason.lower():
        return NoConnectionError(
            "another client with the same id connected and took over",
            where=where,
            hint="Give each daemon its own node name or mqtt.client_id.",
        )
    if said := detail or reason:
        return NoConnectionError(f"the connection was lost ({said})", where=where)
    return NoConnectionError(
        "it closed the connection",
        where=where,
        hint="If that goes on, another client may have the same id: see mqtt.client_id.",
    )


def _other_protocol(config: MqttConfig, *, lower: bool = False) -> str:
    other = "3.1.1" if config.protocol == "5" else "5"
    return f'{"set" if lower else "Set"} mqtt.protocol = "{other}".'
