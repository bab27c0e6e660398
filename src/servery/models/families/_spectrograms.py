"""Spectrograms of different lengths as training examples, and random changes that leave what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from servery.models.encoders.log_mel import LogMel
from servery.models.families._examples import TokenExamples

DECIBELS_PER_LOG = 10 / np.log(10)
"""Of the natural logarithm of power."""
FLUCTUATION = 0.6
"""Deviation of the logarithm of white noise's power in a band of a few lines of a short frame (measured)."""


class SpectrogramExamples(TokenExamples):
    """Recordings as spectrograms, padded batch by batch; batches are made of recordings of like lengths.

    Args:
        encoder: Makes the spectrograms.
        rows: The recordings.
        targets: int64 (rows,), float32 (rows, labels), or int64 (rows, symbols) with 0 behind the last.
        augment: Changes a training batch at random; None for no change.
    """

    def __init__(
        self,
        encoder: LogMel,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        augment: SpeechAugmentation | None = None,
    ) -> None:
        found = [encoder.encode([row], cut=True) for row in rows]
        self.spectrograms = [batch["bands"][0] for batch in found]
        self.last_ends = np.array([batch["ends"][0, -1] for batch in found], np.float32)
        self.hop_seconds = encoder.hop / encoder.rate
        super().__init__([range(1, len(bands) + 1) for bands in self.spectrograms], targets)
        self.augment = augment

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return `bands` and `ends` as the encoder gives them."""
        lengths = self.lengths[rows]
        bands = np.zeros((len(rows), int(lengths.max()), self.spectrograms[0].shape[1]), np.float32)
        for place, row in enumerate(rows.tolist()):
            bands[place, : lengths[place]] = self.spectrograms[row]
        ends = _ends(torch.from_numpy(lengths), self.hop_seconds)
        return {"bands": torch.from_numpy(bands), "ends": ends.minimum(_column(self.last_ends[rows]))}

    def statistics(self) -> tuple[list[float], list[float]]:
        """Return mean and deviation of each band over all frames."""
        frames = np.concatenate(self.spectrograms).astype(np.float64)
        return frames.mean(axis=0).round(4).tolist(), frames.std(axis=0).clip(0.1).round(4).tolist()


@dataclass(frozen=True)
class SpeechAugmentation:
    """Faster and slower, higher and lower voices, louder, noisier, with holes; all chance comes from the generator.

    Sources: Park et al. (2019), SpecAugment, section 2, for the holes; Ko et al. (2015), Audio augmentation for speech
    recognition, section 2, for speed; Jaitly and Hinton (2013), Vocal tract length perturbation, section 3.

    Attributes:
        hop_seconds: From one frame to the next.
        speed: Largest change of speed, as a share.
        pitch: Largest stretch of the bands, as a share.
        gain_decibels: Largest change of loudness.
        noise_share: Share of the recordings that get noise, from 10 to 40 decibels under their loudest frame.
        hole_seconds: Longest hole in time.
        hole_bands: Widest hole in pitch, as a share of the bands.
    """

    hop_seconds: float
    speed: float
    pitch: float
    gain_decibels: float
    noise_share: float
    hole_seconds: float
    hole_bands: float

    @classmethod
    def of(cls, hyperparameters: Mapping[str, Any], encoder: LogMel) -> SpeechAugmentation:
        """Return the augmentation that the hyperparameters ask for."""
        asked = {f.name: hyperparameters[f.name] for f in fields(cls) if f.name != "hop_seconds"}
        return cls(encoder.hop / encoder.rate, **asked)

    def __call__(self, inputs: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return changed spectrograms; those that became longer make the batch longer.

        Args:
            inputs: `bands`, (rows, frames, bands), and `ends`, (rows, frames).
            generator: Source of all chance.
        """
        bands, lengths = inputs["bands"], (inputs["ends"] > 0).sum(dim=1)

        def uniform(low: float, high: float) -> Tensor:
            return torch.rand(len(bands), 1, generator=generator) * (high - low) + low

        bands, lengths = _stretched(
            bands, lengths, 1 + uniform(-self.speed, self.speed), 1 + uniform(-self.pitch, self.pitch)
        )
        frames = torch.arange(bands.shape[1]).unsqueeze(0)
        is_heard = (frames < lengths.unsqueeze(1)).unsqueeze(2)
        gain = uniform(-self.gain_decibels, self.gain_decibels) / DECIBELS_PER_LOG
        bands = bands + gain.unsqueeze(2)
        loudest = bands.masked_fill(~is_heard, -1e4).mean(dim=2).amax(dim=1, keepdim=True)
        under = loudest - uniform(10, 40) / DECIBELS_PER_LOG
        is_noisy = uniform(0, 1) < self.noise_share
        level = torch.where(is_noisy, under, torch.full_like(under, -1e4)).unsqueeze(2)
        noise = level + FLUCTUATION * torch.randn(bands.shape, generator=generator)
        bands = self._with_holes(torch.logaddexp(bands, noise) * is_heard, lengths, generator)
        return {"bands": bands * is_heard, "ends": _ends(lengths, self.hop_seconds)}

    def _with_holes(self, bands: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        rows, frames, count = bands.shape
        mean = bands.sum(dim=1, keepdim=True) / lengths.view(-1, 1, 1)  # (rows, 1, bands)
        longest = torch.full((rows,), self.hole_seconds / self.hop_seconds)
        in_time = _hole(lengths, longest.minimum(lengths / 5), frames, generator)
        widest = torch.full((rows,), self.hole_bands * count)
        in_pitch = _hole(torch.full((rows,), count), widest, count, generator)
        return torch.where(in_time.unsqueeze(2) | in_pitch.unsqueeze(1), mean, bands)


def _hole(lengths: Tensor, widest: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Draw one stretch of each row, bool, (rows, size)."""
    width = torch.rand(len(lengths), 1, generator=generator) * widest.unsqueeze(1)
    start = torch.rand(len(lengths), 1, generator=generator) * (lengths.unsqueeze(1) - width)
    places = torch.arange(size).unsqueeze(0)
    return (places >= start) & (places < start + width - 0.5)


def _stretched(bands: Tensor, lengths: Tensor, speeds: Tensor, pitches: Tensor) -> tuple[Tensor, Tensor]:
    """Read spectrograms faster and higher by these factors, (rows, 1); return them and their new lengths."""
    lengths_then = (lengths.unsqueeze(1) / speeds).round().clamp(min=1).long()  # (rows, 1)
    frames = torch.arange(int(lengths_then.max())).unsqueeze(0) * speeds  # (rows, frames)
    last = (lengths.unsqueeze(1) - 1).float()
    in_time = _between(bands, frames.minimum(last))
    pitch = (torch.arange(bands.shape[2]).unsqueeze(0) * pitches).clamp(max=bands.shape[2] - 1.0)
    return _between(in_time.transpose(1, 2), pitch).transpose(1, 2), lengths_then.squeeze(1)


def _between(values: Tensor, places: Tensor) -> Tensor:
    """Return values at places between those of axis 1, (rows, places, ...), a straight line from one to the next."""
    low = places.floor().long()
    share = (places - low).unsqueeze(2)
    high = (low + 1).clamp(max=values.shape[1] - 1)
    wide = (-1, -1, values.shape[2])
    one = values.gather(1, low.unsqueeze(2).expand(*wide))
    other = values.gather(1, high.unsqueeze(2).expand(*wide))
    return one + (other - one) * share


def _ends(lengths: Tensor, hop_seconds: float) -> Tensor:
    places = torch.arange(1, int(lengths.max()) + 1).unsqueeze(0)  # (1, frames)
    return torch.where(places <= lengths.unsqueeze(1), places * hop_seconds, 0.0)


def _column(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values).unsqueeze(1)
