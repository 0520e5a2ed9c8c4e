"""What a chaos run works on: a daemon, its microphone, a broker, the network and a recorder between them.

daemon ── Relay (trouble) ── Recorder ── mosquitto ── subscriber with a session that lasts
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.chaos_ledger import Ledger
from benchmarks.measure import ONE_THREAD
from benchmarks.mqtt_recorder import Recorder
from benchmarks.rig import RATE_HZ, aed_daemon, missing_parts_told
from tests.mosquitto import Mosquitto, Subscriber
from tests.pulse_server import PulseServer
from tests.sinks.relay import Relay
from tests.sounds import quiet, soundscape, to_s16, write_wav

NODE = "chaos"
STORE = "outbox.db"
_PATIENCE_S = 20.0  # a daemon that is asked to end takes 5 s at most; a busy machine takes its own time
_SOUND_S = 60.0
_CAPTURE = "aed_daemon.audio.microphone"

_SETTINGS = """
[detection]
hop_frames = 12
update_s = 1.0
[detection.defaults]
threshold_on = 0.2
threshold_off = 0.2
mode = "instant"
smoothing_s = 0
min_duration_s = 0
cooldown_s = 0
end_after_s = 0.2
[detection.loud_sound]
snr_db = 6
hysteresis_db = 3
end_after_s = 0.1
[output]
jsonl = true
[log]
format = "json"
"""
"""Everything that sounds a little like something is an event: some five a second from two sources."""


def din(seed: int) -> NDArray[np.float32]:
    """Return a minute of soundscape with a burst of noise every 0.5 to 1.1 s, float32 (n,)."""
    samples = soundscape(seed, _SOUND_S)
    chance = np.random.default_rng(seed)
    at = 0
    while (at := at + int(RATE_HZ * chance.uniform(0.5, 1.1))) + RATE_HZ // 10 < len(samples):
        samples[at : at + RATE_HZ // 10] += 0.1 * chance.standard_normal(RATE_HZ // 10).astype(np.float32)
    return samples


@dataclass
class Exits:
    """How the daemon's processes have ended.

    Attributes
    ----------
    killed, asked, by_itself : int
        By SIGKILL, after SIGTERM, and for no reason.
    early : int
        Of those asked: so soon that they did not handle signals yet, and had nothing to deliver.
    badly : int
        Of those asked: too late, or with an exit status.
    """

    killed: int = 0
    asked: int = 0
    by_itself: int = 0
    early: int = 0
    badly: int = 0


class ChaosDaemon:
    """`aed-daemon run`, again and again on the same state; what it commits goes into the ledger.

    Parameters
    ----------
    folder : Path
        For its configuration, state, output and messages.
    environment : mapping of str
        What reaches the sound server.
    ledger : Ledger
        Takes what is committed.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], ledger: Ledger) -> None:
        self.folder, self._ledger = folder, ledger
        self._state = folder / "state"
        self._environment = {**os.environ, **environment, **ONE_THREAD, "STATE_DIRECTORY": str(self._state)}
        self._process: subprocess.Popen[bytes] | None = None
        self._asked_to_end = False
        self.config = ""
        self.starts = 0
        self.exits = Exits()

    def start(self) -> None:
        """Start it with `config`."""
        self.starts += 1
        path = self.folder / "aed.toml"
        path.write_text(self.config, encoding="utf-8")
        with self._output.open("wb") as output, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*aed_daemon(), "run", "--config", str(path)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=log, env=self._environment,
            )  # fmt: skip
        self._asked_to_end = False

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.poll() is None:
            self.exits.killed += 1
            self._process.kill()
            self._process.wait()
            self._buried()

    def ask_to_end(self) -> None:
        """Ask it to end; `wait_end` sees to it."""
        if self._process is not None and self._process.poll() is None:
            self._asked_to_end = True
            self._process.terminate()

    def wait_end(self) -> None:
        """Wait until it has ended as it was asked to, and read what it has left."""
        if self._process is None:
            return
        if not self._asked_to_end:
            if self._process.poll() is not None:
                self.exits.by_itself += 1
                self._buried()
            return
        self.exits.asked += 1
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        early = code == -signal.SIGTERM  # the system's own answer, as long as nobody handles it
        self.exits.early += early
        self.exits.badly += code != 0 and not early
        self._buried()

    def kill_capture(self) -> int:
        """Kill its capture process; return how many there were."""
        if self._process is None or self._process.poll() is not None:
            return 0
        killed = 0
        for child in psutil.Process(self._process.pid).children(recursive=True):
            try:
                if _CAPTURE in child.cmdline():
                    child.send_signal(signal.SIGKILL)
                    killed += 1
            except psutil.NoSuchProcess:
                continue
        return killed

    def read_output(self) -> None:
        """Take what it has printed so far into the ledger."""
        self._ledger.read_lines(self._output.read_text(encoding="utf-8", errors="replace").splitlines())

    @property
    def tracebacks(self) -> int:
        """How many of its processes have said that something unexpected happened."""
        logs = [path.read_text(errors="replace") for path in self.folder.glob("log-*")]
        return sum("Traceback" in log or "unexpectedly" in log for log in logs)

    @property
    def _output(self) -> Path:
        return self.folder / f"events-{self.starts}.jsonl"

    @property
    def _log(self) -> Path:
        return self.folder / f"log-{self.starts}"

    def _buried(self) -> None:
        self._process = None
        self.read_output()
        self._ledger.read_store(self._state / STORE)


@dataclass(frozen=True)
class ChaosRig:
    """The parts."""

    ledger: Ledger
    daemon: ChaosDaemon
    broker: Mosquitto
    subscriber: Subscriber
    recorder: Recorder
    relay: Relay
    noisy: str
    quiet: str


@contextmanager
def chaos_rig(folder: Path, seed: int, more: str = "") -> Iterator[ChaosRig]:
    """Set everything up but the daemon, which is not started yet; at the end kill what is left.

    Parameters
    ----------
    folder : Path
        For everything.
    seed : int
        What there is to hear.
    more : str
        More lines of the daemon's configuration.

    Raises
    ------
    UnavailableError
        Where mosquitto or PulseAudio is missing.
    """
    store = folder / "broker"
    options = f"persistence true\npersistence_location {store}/\nautosave_interval 5"
    sound = write_wav(folder / "yard.wav", din(seed % 1_000))
    silence = write_wav(folder / "silence.wav", quiet(1.0))
    with (
        missing_parts_told(),
        PulseServer(folder / "pulse") as pulse,
        Mosquitto(store, options=options) as broker,
        Recorder(broker.port) as recorder,
        Relay(recorder.port) as relay,
        Subscriber(broker, f"aed/{NODE}/#", session="archive") as subscriber,
    ):
        pulse.load_source(RATE_HZ)
        ledger = Ledger()
        work = folder / "daemon"
        work.mkdir()
        daemon = ChaosDaemon(work, pulse.environment, ledger)
        porch = f'name = "porch"\ntype = "microphone"\ndevice = "aedfifo"\nrate_hz = {RATE_HZ}\n'
        noisy = _config(relay.port, porch, _file("yard", sound)) + more
        with pulse.playing(to_s16(din(seed % 1_000 + 1)), loop=True):
            try:
                yield ChaosRig(
                    ledger, daemon, broker, subscriber, recorder, relay,
                    noisy=noisy, quiet=_config(relay.port, _file("silence", silence)) + more,
                )  # fmt: skip
            finally:
                daemon.kill()


def _file(name: str, path: Path) -> str:
    return f'name = "{name}"\ntype = "file"\npath = {json.dumps(str(path))}\nloop = true\n'


def _config(port: int, *sources: str) -> str:
    mqtt = (
        f'[mqtt]\nenabled = true\nhost = "127.0.0.1"\nport = {port}\nkeepalive_s = 5\nreconnect_max_s = 3\n'
        "queue_events = 1000000\nhealth_interval_s = 5\n"
    )
    tables = "".join(f"[[source]]\n{source}" for source in sources)
    return f'node = "{NODE}"\n{tables}{mqtt}{_SETTINGS}'
