"""FeatureSpec: THE definition of the mel patch that training, daemon and firmware share."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Literal

from aed_daemon.errors import ModelError


@dataclass(frozen=True)
class FeatureSpec:
    """Every choice between PCM samples and the network's input, none of them implicit.

    The patch is an array (patch_frames, n_mels): time first. How the network's own tensor lays it
    out is the manifest's business (`ModelManifest.input.layout`).

    Attributes
    ----------
    sample_rate_hz : int
        Rate of the samples that the spectrogram is computed from.
    pcm_full_scale : float
        Sample value of digital full scale: 1.0 means that samples lie in [-1, 1).
    win_length, n_fft, hop_length : int
        Samples of the window, of the FFT, and between frames.
    window : "hann_periodic"
        0.5 - 0.5 cos(2 pi n / win_length), n = 0 .. win_length - 1.
    window_placement : "centre"
        The window lies in the middle of the n_fft samples, zeros on both sides.
    frame_origin : "no_padding"
        Frame k is computed from samples [k hop_length, k hop_length + n_fft).
    power : float
        Exponent of the magnitude spectrum before the mel filters: 1.0, magnitude.
    n_mels : int
        Number of mel bands.
    fmin_hz, fmax_hz : float
        Lower edge of the first band, upper edge of the last.
    mel_scale : "htk"
        2595 log10(1 + f / 700).
    mel_triangles : "linear_hz"
        The triangles are linear in Hz between the band edges (not linear in mel).
    mel_norm : "none"
        Each triangle peaks at 1.
    log : "natural"
        Base of the logarithm.
    log_offset : float
        Added to the mel magnitude before the logarithm.
    patch_frames : int
        Frames of a patch.

    Source
    ------
    The features of STMicroelectronics' published Yamnet-256 training: librosa.feature.melspectrogram
    with htk=True, norm=None, power=1.0, center=False.
    """

    sample_rate_hz: int = 16_000
    pcm_full_scale: float = 1.0
    win_length: int = 400
    n_fft: int = 512
    hop_length: int = 160
    window: Literal["hann_periodic"] = "hann_periodic"
    window_placement: Literal["centre"] = "centre"
    frame_origin: Literal["no_padding"] = "no_padding"
    power: float = 1.0
    n_mels: int = 64
    fmin_hz: float = 125.0
    fmax_hz: float = 7_500.0
    mel_scale: Literal["htk"] = "htk"
    mel_triangles: Literal["linear_hz"] = "linear_hz"
    mel_norm: Literal["none"] = "none"
    log: Literal["natural"] = "natural"
    log_offset: float = 1e-4
    patch_frames: int = 96

    def canonical_json(self) -> str:
        """Return the one JSON text of this definition: sorted keys, no white space."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @cached_property
    def spec_id(self) -> str:
        """First 16 hex digits of the SHA-256 of `canonical_json`."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()[:16]

    @property
    def frames_per_second(self) -> float:
        """Frames per second of audio."""
        return self.sample_rate_hz / self.hop_length

    @property
    def window_offset(self) -> int:
        """Samples from the start of a frame to the first that its window sees."""
        return (self.n_fft - self.win_length) // 2

    @property
    def patch_samples(self) -> int:
        """Samples from the first that a patch's frames are numbered from to its last hop's end."""
        return self.patch_frames * self.hop_length

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, where: str) -> FeatureSpec:
        """Build a spec from a manifest's `features` object.

        Raises
        ------
        ModelError
            For a missing or unknown field, or a value that this version cannot compute.
        """
        known = {field.name: field for field in fields(cls)}
        wrong = sorted(known.keys() ^ values.keys())
        if wrong:
            verb = "unknown" if wrong[0] in values else "missing"
            raise ModelError(
                f"{verb} field '{wrong[0]}' in features",
                where=where,
                expected=", ".join(known),
                hint="The manifest was made by another version of model-tools; export it again.",
            )
        reference = asdict(cls())
        for name, standard in reference.items():
            if not _computable(standard, values[name]):
                raise ModelError(
                    f"features.{name} is not one that this version computes",
                    where=where,
                    expected=repr(standard) if isinstance(standard, str) else type(standard).__name__,
                    got=repr(values[name]),
                )
        spec = cls(**{name: type(standard)(values[name]) for name, standard in reference.items()})
        spec._check(where)
        return spec

    def _check(self, where: str) -> None:
        positive = ("sample_rate_hz", "win_length", "n_fft", "hop_length", "n_mels", "patch_frames")
        limits = {
            **{name: getattr(self, name) > 0 for name in positive},
            "win_length": 0 < self.win_length <= self.n_fft,
            "hop_length": 0 < self.hop_length <= self.n_fft,
            "n_fft": 0 < self.n_fft <= 65_536,
            "n_mels": 0 < self.n_mels <= 1_024,
            "patch_frames": 0 < self.patch_frames <= 10_000,
            "fmin_hz": 0 <= self.fmin_hz < self.fmax_hz,
            "fmax_hz": self.fmax_hz <= self.sample_rate_hz / 2,
            "log_offset": self.log_offset > 0,
            "power": self.power in (1.0, 2.0),
            "pcm_full_scale": self.pcm_full_scale > 0,
        }
        for name, holds in limits.items():
            if not holds:
                raise ModelError(
                    f"features.{name} is out of range", where=where, got=repr(getattr(self, name))
                )


_LARGEST = 1e9
"""No field of a spec that can be computed is greater."""


def _computable(standard: object, value: object) -> bool:
    """Return whether a value has the kind that a field needs; of texts there is only one each."""
    if isinstance(standard, str):
        return value == standard
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:  # or NaN
        return False
    return isinstance(standard, float) or value == int(value)


YAMNET_256 = FeatureSpec()
"""The definition that this project's models are trained with."""
