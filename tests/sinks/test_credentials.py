"""Credentials: every file that cannot be used is a ConfigError that names the key."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from aed_daemon.config import MqttConfig
from aed_daemon.errors import ConfigError
from aed_daemon.sinks.credentials import load_credentials
from tests.mosquitto import PASSWORD, make_certificates

CREDENTIAL = "mqtt"
GARBAGE = "-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_certificates(folder)
    return folder


def config(**values: Any) -> MqttConfig:
    return MqttConfig.model_validate(values)


def secret(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_bytes(text.encode())
    path.chmod(mode)
    return path


def test_without_anything_there_is_nothing() -> None:
    credentials = load_credentials(config())
    assert (credentials.username, credentials.password, credentials.tls) == (None, None, None)


@pytest.mark.parametrize("text", [PASSWORD, PASSWORD + "\n", PASSWORD + "\r\nsecond line\n"])
def test_the_password_is_the_first_line(tmp_path: Path, text: str) -> None:
    path = secret(tmp_path / "password", text)
    credentials = load_credentials(config(username="daemon", password_file=path))
    assert credentials.password == PASSWORD
    assert PASSWORD not in repr(credentials)


def test_a_systemd_credential_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret(tmp_path / "mqtt", PASSWORD + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert load_credentials(config(username="daemon", password_credential=CREDENTIAL)).password == PASSWORD


def test_a_systemd_credential_needs_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match=r"^mqtt\.password_credential: .*LoadCredential"):
        load_credentials(config(username="daemon", password_credential=CREDENTIAL))


def test_a_missing_password_file_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^mqtt\.password_file: cannot read .*nowhere"):
        load_credentials(config(username="daemon", password_file=tmp_path / "nowhere"))


def test_a_folder_is_no_password_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^mqtt\.password_file: .*directory"):
        load_credentials(config(username="daemon", password_file=tmp_path))


@pytest.mark.parametrize("content", [b"", b"\nsecond", b"\xff\xfe\n"])
def test_an_empty_or_binary_password_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^mqtt\.password_file"):
        load_credentials(config(username="daemon", password_file=path))


def test_a_world_readable_password_is_warned_about_without_being_shown(tmp_path: Path) -> None:
    path = secret(tmp_path / "password", PASSWORD, 0o644)
    with capture_logs() as logs:
        load_credentials(config(username="daemon", password_file=path))
    assert [log["event"] for log in logs] == ["password_file_is_world_readable"]
    assert PASSWORD not in str(logs)


def test_tls_verifies_by_default(keys: Path) -> None:
    for values in ({}, {"ca_file": keys / "ca.crt"}):
        tls = load_credentials(config(tls={"enabled": True, **values})).tls
        assert tls is not None
        assert tls.verify_mode is ssl.CERT_REQUIRED
        assert tls.check_hostname


def test_insecure_is_said_in_the_log() -> None:
    with capture_logs() as logs:
        tls = load_credentials(config(tls={"enabled": True, "insecure": True})).tls
    assert tls is not None
    assert tls.verify_mode is ssl.CERT_NONE
    assert [log["event"] for log in logs] == ["tls_accepts_any_certificate"]


@pytest.mark.parametrize("key", ["ca_file", "cert_file", "key_file"])
def test_a_missing_tls_file_names_the_key(keys: Path, key: str) -> None:
    files = {"ca_file": keys / "ca.crt", "cert_file": keys / "client.crt", "key_file": keys / "client.key"}
    files[key] = keys / "nowhere"
    with pytest.raises(ConfigError, match=rf"^mqtt\.tls\.{key}: cannot read .*nowhere"):
        load_credentials(config(tls={"enabled": True, **files}))


@pytest.mark.parametrize("text", ["", "hello", GARBAGE])
def test_a_ca_file_that_holds_no_certificate_is_refused(tmp_path: Path, text: str) -> None:
    path = secret(tmp_path / "ca.crt", text)
    with pytest.raises(ConfigError, match=r"^mqtt\.tls\.ca_file: .*no usable certificate"):
        load_credentials(config(tls={"enabled": True, "ca_file": path}))


def test_a_key_of_another_certificate_is_refused(keys: Path) -> None:
    files = {"cert_file": keys / "client.crt", "key_file": keys / "server.key"}
    with pytest.raises(ConfigError, match=r"^mqtt\.tls\.cert_file: .*no certificate and its key"):
        load_credentials(config(tls={"enabled": True, **files}))


def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(keys: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-in", keys / "client.key", "-aes128", "-passout", "pass:x", "-out", locked],
        check=True,
        capture_output=True,
    )
    files = {"cert_file": keys / "client.crt", "key_file": locked}
    with pytest.raises(ConfigError, match=r"without a passphrase"):
        load_credentials(config(tls={"enabled": True, **files}))
