"""Who is asked about a stream, and who is left alone; moved streams are in test_device_loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from aed_daemon.audio.soundserver import StreamWatch, speaks_to_a_server

PULSE = "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/x86_64-linux-gnu/libpulse.so.0.24.2\n"
PIPEWIRE = "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/alsa-lib/libasound_module_pcm_pipewire.so\n"
ALSA = "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/x86_64-linux-gnu/libasound.so.2.0.0\n"


@pytest.mark.parametrize(
    ("maps", "opened", "expected"),
    [
        (ALSA + PULSE, "socket:[4711]", True),
        (ALSA + PIPEWIRE, "socket:[4711]", True),
        (ALSA + PULSE, "/dev/snd/pcmC1D0c", False),  # PortAudio has looked at every plug-in
        (ALSA + PULSE, "/dev/snd/controlC1", True),
        (ALSA, "socket:[4711]", False),
    ],
)
def test_only_a_stream_that_goes_through_a_server_is_asked_about(
    tmp_path: Path, maps: str, opened: str, expected: bool
) -> None:
    process = tmp_path / "12"
    (process / "fd").mkdir(parents=True)
    (process / "maps").write_text(maps)
    (process / "fd" / "7").symlink_to(opened)
    assert speaks_to_a_server(12, tmp_path) is expected


def test_a_process_that_is_gone_is_not_asked_about(tmp_path: Path) -> None:
    assert not speaks_to_a_server(12, tmp_path)


def test_this_process_captures_nothing() -> None:
    assert not StreamWatch(1).needed
