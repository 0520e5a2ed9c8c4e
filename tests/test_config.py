"""Configuration: what is accepted, and that each mistake is told with its place and its remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from aed_daemon.config import Config, MicrophoneSource, default_node_name
from aed_daemon.config_faults import ManyFaultsError
from aed_daemon.config_file import check_against_model, find_config, load_config
from aed_daemon.config_types import Origins
from aed_daemon.errors import ConfigError
from tests.manifests import a_manifest

SOURCE = '[[source]]\nname = "porch"\ntype = "microphone"\n'


def load(folder: Path, text: str, **env: str) -> Config:
    path = folder / "aed.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, env)


def faults(folder: Path, text: str, **env: str) -> list[str]:
    """Return the lines of the error, each without the folder."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **env)
    lines = str(caught.value).split("\n")
    assert len(lines) == (len(caught.value.faults) if isinstance(caught.value, ManyFaultsError) else 1)
    return [line.removeprefix(f"{folder}{os.sep}") for line in lines]


def test_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, SOURCE)
    assert isinstance(config.source[0], MicrophoneSource)
    assert config.node == default_node_name()
    assert not config.mqtt.enabled
    assert config.mqtt.effective_port == 1883
    assert config.detection.hop_frames == 24


def test_two_configurations_that_say_the_same_are_equal(tmp_path: Path) -> None:
    assert load(tmp_path, SOURCE) == load(tmp_path, f"# moved down by a line\n{SOURCE}")
    assert Origins({(): "a"}) == Origins()


def test_it_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load(tmp_path, SOURCE).node = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[mqtt]\nport = 99999", "aed.toml:2: mqtt.port: expected integer, 1 to 65535, got 99999."),
        ("[mqtt]\nport = '1883'", 'aed.toml:2: mqtt.port: expected integer, 1 to 65535, got "1883".'),
        ("[mqtt]\nport = 1883.5", "aed.toml:2: mqtt.port: expected integer, 1 to 65535, got 1883.5."),
        ("[mqtt]\nenabled = 1", "aed.toml:2: mqtt.enabled: expected true or false, got 1."),
        (
            "mqtt.keepalive_s = [1]",
            "aed.toml:1: mqtt.keepalive_s: expected integer, 5 to 3600, got an array.",
        ),
        ("[mqtt]\nhost = {}", "aed.toml:2: mqtt.host: expected string of 1 to 255 characters, got a table."),
        ("[mqtt]\nhost = ''", 'aed.toml:2: mqtt.host: expected string of 1 to 255 characters, got "".'),
        ("[mqtt]\nhost = 'mqtt://hub'", "aed.toml:2: mqtt.host must be a host name or an address alone"),
        ("[mqtt]\nprotocol = 5", 'aed.toml:2: mqtt.protocol: expected "5" or "3.1.1", got 5.'),
        ("[mqtt]\nhots = 'hub'", "aed.toml:2: unknown key mqtt.hots. Did you mean 'host'?"),
        ("[mqtt]\npassword = 'x'", "aed.toml:2: unknown key mqtt.password. Did you mean 'password_file'?"),
        ("[mqtt]\nthreads = 2", "aed.toml:2: unknown key mqtt.threads. It belongs in [model]."),
        ("[output]\nxyz = 2", "aed.toml:2: unknown key output.xyz. Known here: jsonl."),
        ("[mqqt]", "aed.toml:1: unknown key mqqt. Did you mean 'mqtt'?"),
        ("node = 'a/b'", "aed.toml:1: node must not hold +, #, / or control characters"),
        ("node = '$SYS'", "aed.toml:1: node must not begin with $"),
        ("node = ' hall'", "aed.toml:1: node must not begin or end with white space"),
        ("log = 5", "aed.toml:1: log: expected table, got 5."),
        ("detection.update_s = nan", "aed.toml:1: detection.update_s: expected number, 1 to 3600, got NaN."),
        ("detection.update_s = 1979-05-27", "got the date or time 1979-05-27."),
        ("[detection.classes.Dog]", "aed.toml:1: detection.classes.Dog: not the name of a class"),
        (
            "[detection.classes.loud_sound]",
            "aed.toml:1: detection.classes.loud_sound: loud_sound is no class",
        ),
        ("[detection.classes.background]", "aed.toml:1: detection.classes.background: background is never"),
        (
            "[detection]\nthreshold_on = 0.5",
            "detection.threshold_on. It belongs in [detection.defaults] or [detection.classes.NAME].",
        ),
        (
            "[detection.classes.dog]\nthreshold_off = 0.7\nthreshold_on = 0.6",
            "aed.toml:2: detection.classes.dog.threshold_off: threshold_off 0.7 is above threshold_on 0.6.",
        ),
        (
            "[detection.defaults]\nthreshold_on = 0.4\n[detection.classes.dog]\nthreshold_off = 0.5",
            "aed.toml:3: detection.classes.dog: dog has threshold_off 0.5 above threshold_on 0.4",
        ),
        (
            "[detection.gate]\nopen_dbfs = -70\nclose_dbfs = -60",
            "aed.toml:3: detection.gate.close_dbfs: close_dbfs -60.0 is above open_dbfs -70.0.",
        ),
        ("[mqtt.tls]\ninsecure = true", "aed.toml:1: mqtt.tls.enabled: enabled is false, yet TLS is set up"),
        ("[mqtt.tls]\ncert_file = 'c'", "aed.toml:2: mqtt.tls.cert_file: cert_file and key_file go together"),
        (
            "[mqtt]\npassword_file = 'p'",
            "aed.toml:2: mqtt.password_file: there is a password, but no username",
        ),
        ("[mqtt]\npassword_file = ''", 'aed.toml:2: mqtt.password_file must be the path of a file: got "".'),
        ("[mqtt]\npassword_file = '~/p'", "aed.toml:2: mqtt.password_file must be a whole path"),
        (
            "[mqtt]\nusername = 'u'\npassword_file = 'p'\npassword_credential = 'p'",
            "aed.toml:4: mqtt.password_credential: password_file and password_credential are two passwords",
        ),
        ('[mqtt]\nusername = "a\\u0000b"', "aed.toml:2: mqtt.username must not hold a NUL character"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, text: str, expected: str) -> None:
    lines = faults(tmp_path, f"{text}\n{SOURCE}")
    assert len(lines) == 1
    assert expected in lines[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "",
            "aed.toml:1: source is missing: expected array of tables. Add [[source]] with a name and a type.",
        ),
        (
            "[source]\nname = 'x'",
            "aed.toml:1: source: expected array of tables, got a table. Write [[source]]",
        ),
        ("source = []", "aed.toml:1: source: expected array of tables, got an array."),
        ("source = [1]", "aed.toml:1: source.0: expected array of tables, got 1."),
        ("[[source]]\nname = 'x'", "aed.toml:1: source.0.type is missing: expected one of microphone, file,"),
        (
            "[[source]]\nname = 'x'\ntype = 'mic'",
            'aed.toml:3: source.0.type: expected one of microphone, file, stdin, command, demo, got "mic".',
        ),
        ("[[source]]\nname = 'x'\ntype = 'microfone'", "Did you mean 'microphone'?"),
        ("[[source]]\ntype = 'demo'", "aed.toml:1: source.0.name is missing: expected string of 1 to 64"),
        ("[[source]]\nname = 'x'\ntype = 'file'", "aed.toml:1: source.0.path is missing: expected path."),
        (
            f"{SOURCE}seed = 3",
            'aed.toml:4: unknown key source.0.seed. It belongs in a [[source]] of type "demo".',
        ),
        (
            f"{SOURCE}device = -1",
            "aed.toml:4: source.0.device: expected string or integer, at least 0, got -1.",
        ),
        (f"{SOURCE}device = 1.5", "aed.toml:4: source.0.device: expected string or integer, at least 0"),
        (f"{SOURCE}channel = 'left'", 'aed.toml:4: source.0.channel: expected "mix" or integer, 0 to 63'),
        (f"{SOURCE}channels = 2\nchannel = 2", "aed.toml:5: source.0.channel: channel 2 does not exist"),
        (f"{SOURCE}{SOURCE}", "aed.toml:5: source.1.name: two sources are named 'porch'."),
        (
            "[[source]]\ntype = 'demo'\nname = 'bridge'",
            "aed.toml:3: source.0.name: a source cannot be named 'bridge'",
        ),
        (
            "source = [{type='stdin', name='a'},\n{type='stdin', name='b'}]",
            "aed.toml:2: source.1.type: only one source can read standard input.",
        ),
        (
            "[[source]]\ntype = 'command'\nname = 'x'\ncommand = ['a',\n3]",
            "aed.toml:5: source.0.command.1: expected string, got 3.",
        ),
        ("[[source]]\ntype = 'command'\nname = 'x'\ncommand = []", "aed.toml:4: source.0.command: expected"),
    ],
)
def test_sources(tmp_path: Path, text: str, expected: str) -> None:
    lines = faults(tmp_path, text)
    assert len(lines) == 1
    assert expected in lines[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = b", "aed.toml:1: not valid TOML (Invalid value, column 5). Text needs quotes"),
        (
            "[mqtt]\nport: 3",
            "aed.toml:2: not valid TOML (Expected '=' after a key in a key/value pair, column 5)",
        ),
        ("[log\n", "aed.toml:1: not valid TOML"),
        ("\n\nx = '''", "aed.toml:3: not valid TOML"),
        ("a = 1\na = 2\n", "aed.toml:2: not valid TOML (Cannot overwrite a value"),
        ("a = True\n", "Write true or false."),
        ("a = " + "9" * 5_000, "not valid TOML"),
        ("a = " + "[" * 5_000, "aed.toml: tables or arrays are nested too deep."),
        (".".join(["a"] * 100) + " = 1", "aed.toml: keys nested over 64 deep."),
        ("node = 0x" + "f" * 5_000, "got an integer of more than 20 digits."),
    ],
)
def test_syntax(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in "\n".join(faults(tmp_path, text))


def test_all_faults_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = f"nodee = 1\n[log]\nlevel = 'loud'\n{SOURCE}rate_hz = 1\n"
    text += "[mqtt]\nport = 0\n[mqtt.tls]\ninsecure = true"
    lines = faults(tmp_path, text)
    assert [int(line.split(":")[1]) for line in lines] == [1, 3, 7, 9, 10]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"# \xe9t\xe9\n", "aed.toml:1: not UTF-8: got the byte 0xe9."),
        (b"a = 1\n\n'\xff'", "aed.toml:3: not UTF-8: got the byte 0xff."),
        (b"#" * (2 << 20), "aed.toml: too long for a configuration"),
        (b"\x00", "not valid TOML"),
    ],
)
def test_not_a_text(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "aed.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=expected.replace(".", r"\.")):
        load_config(tmp_path / "aed.toml", {})


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "aed.toml").write_bytes(b"\xef\xbb\xbf" + SOURCE.encode())
    assert load_config(tmp_path / "aed.toml", {}).source


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: no such file\."):
        load_config(tmp_path / "missing.toml", {})
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path, {})
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(Path("a\x00b"), {})


def test_unreadable(tmp_path: Path) -> None:
    (tmp_path / "aed.toml").symlink_to("aed.toml")
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_config(tmp_path / "aed.toml", {})


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    config = load(
        tmp_path, f"{SOURCE}[model]\npath = 'm/x.tflite'\n[mqtt.tls]\nenabled = true\nca_file = '/etc/ca'"
    )
    assert config.model.path == tmp_path / "m/x.tflite"
    assert config.mqtt.tls.ca_file == Path("/etc/ca")


def test_look_up_order(tmp_path: Path) -> None:
    (tmp_path / "xdg/aed").mkdir(parents=True)
    (tmp_path / "home/.config/aed").mkdir(parents=True)
    here, xdg, home = (
        tmp_path / "aed.toml",
        tmp_path / "xdg/aed/aed.toml",
        tmp_path / "home/.config/aed/aed.toml",
    )
    env = {"HOME": str(tmp_path / "home")}
    home.touch()
    assert find_config(env, tmp_path) == home
    env["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    xdg.touch()
    assert find_config(env, tmp_path) == xdg
    here.touch()
    assert find_config(env, tmp_path) == here
    env["AED_CONFIG"] = "/no/such.toml"
    assert find_config(env, tmp_path) == Path("/no/such.toml")
    if not Path("/etc/aed/aed.toml").exists():
        assert find_config({}, tmp_path / "home") is None


def test_classes_are_the_models(tmp_path: Path) -> None:
    manifest = a_manifest()
    check_against_model(load(tmp_path, f"{SOURCE}[detection.classes.dog]"), manifest)
    config = load(tmp_path, f"{SOURCE}[detection.classes.rian]\nenabled = false\n[detection.classes.xyz]")
    with pytest.raises(ConfigError) as caught:
        check_against_model(config, manifest)
    first, second = str(caught.value).replace(str(tmp_path), "").split("\n")
    told = "detection.classes.rian: the model tiny has no class 'rian'. Did you mean 'rain'?"
    assert first == f"/aed.toml:4: {told} It knows dog, rain."
    assert second.startswith(
        "/aed.toml:6: detection.classes.xyz: the model tiny has no class 'xyz'. It knows"
    )
