"""Page, history, clips and metrics in one daemon: what each knows of a sound, over HTTP."""

from __future__ import annotations

import io
import json
import signal
from pathlib import Path
from typing import Any

import soundfile

from tests.process import Daemon, free_port, toml
from tests.sounds import soundscape, write_wav
from tests.waiting import wait_for
from tests.web.parts import ask

JSON = {"Content-Type": "application/json"}


def test_a_sound_is_remembered_recorded_labelled_and_counted(tmp_path: Path) -> None:
    port = free_port()
    wav = write_wav(tmp_path / "scene.wav", soundscape(1, 12.0))
    source = f'name = "porch"\ntype = "file"\npath = "{wav}"\nloop = true'
    parts = f"[web]\nenabled = true\nport = {port}\n[clips]\nenabled = true\nmin_free_mb = 0\n"

    def asked(path: str) -> Any:
        return ask(port, path).json()

    def recorded() -> list[dict[str, Any]]:
        """Sounds that are over and whose clip can be had."""
        answer = ask(port, "/api/sounds?class=dog")
        found = answer.json()["sounds"] if answer.status == 200 else []
        over = [sound for sound in found if sound["clip"] and sound["duration_s"] is not None]
        return [sound for sound in over if ask(port, f"/clips/{sound['clip']}").status == 200]

    with Daemon(tmp_path, toml([source], more=parts)) as daemon:
        daemon.wait_ready()
        wait_for(lambda: recorded(), "a dog with its clip", 60.0)
        assert asked("/api/state")["has"] == {
            "history": True, "clips": True, "metrics": True, "token": False
        }  # fmt: skip
        sound = recorded()[0]
        clip = ask(port, f"/clips/{sound['clip']}")
        samples, rate_hz = soundfile.read(io.BytesIO(clip.body))
        assert rate_hz == 16_000
        assert len(samples) / rate_hz > sound["duration_s"]
        picture = ask(port, f"/clips/{sound['clip'].replace('.flac', '.png')}")
        assert picture.body.startswith(b"\x89PNG")
        body = json.dumps({"id": sound["id"], "label": "right"}).encode()
        assert ask(port, "/api/labels", "POST", JSON, body).status == 200
        labels = {found["id"]: found["label"] for found in asked("/api/sounds")["sounds"]}
        assert labels[sound["id"]] == "right"
        figures = ask(port, "/metrics").body.decode()
        assert 'aed_events_total{class="dog",source="porch"}' in figures
        health = ask(port, "/healthz")
        assert (health.status, health.json()["sources"]) == (200, {"porch": "running"})
        daemon.send(signal.SIGTERM)
        assert daemon.wait_end() == 0
        assert "Traceback" not in daemon.log
