"""Recordings as spectrograms: how loud each band of pitch is in each moment, as ears tell them apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from servery.data.audio import HIGHEST_RATE, LOWEST_RATE, described, samples_of
from servery.errors import ArtifactError, InputError, TooLongError
from servery.models.encoder import Batch, Encoder

FLOOR = 1e-10
"""Power below this counts as silence: about what rounding to 16 bits leaves in a band of a short frame. With 1e-5, as
at first, 70 to 98 % of the bands of each speaker of free-spoken-digits were floor and nothing else."""
FIRST_FLOOR = 1e-5
"""Of models that were saved before the floor was saved with them."""
FRAMES_AT_ONCE = 4096
MOST_DENOMINATOR = 1000


class LogMel(Encoder):
    """Log-mel spectrograms of short overlapping frames.

    Source: Davis and Mermelstein (1980), Comparison of parametric representations for monosyllabic word
    recognition, section II; mel as 2595 log10(1 + f / 700), O'Shaughnessy (1987), Speech communication, p. 150.

    Args:
        column: Name of the column of recordings.
        rate: Samples a second that recordings are brought to.
        frame: Samples of one frame.
        hop: Samples from one frame to the next.
        bands: Bands of pitch, evenly spaced in mel from 0 to half the rate.
        max_seconds: Longest recording.
        floor: Least power of a band.
    """

    name = "log_mel"

    def __init__(
        self,
        column: str,
        rate: int,
        frame: int,
        hop: int,
        bands: int,
        max_seconds: float,
        floor: float = FLOOR,
    ) -> None:
        self.column = column
        self.rate = rate
        self.frame = frame
        self.hop = hop
        self.bands = bands
        self.max_seconds = max_seconds
        self.floor = floor
        self._window = np.hanning(frame + 1)[:-1].astype(np.float32)
        self._filters = mel_filters(rate, frame, bands)

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `bands`, float32, (rows, frames, bands), and `ends`, float32, (rows, frames).

        `ends` is when each frame's hop ends, in seconds, 0 in the padding behind a recording.

        Raises:
            InputError: A value is no recording, or a torn one.
            TooLongError: A recording is longer than `max_seconds`, and `cut` is false.
        """
        found = [self._spectrogram(example.get(self.column), cut) for example in examples]
        longest = max((len(bands) for bands, _ in found), default=1)
        bands = np.full((len(found), longest, self.bands), math.log(self.floor), np.float32)
        ends = np.zeros((len(found), longest), np.float32)
        for row, (spectrogram, seconds) in enumerate(found):
            count = len(spectrogram)
            bands[row, :count] = spectrogram
            ends[row, :count] = np.minimum(np.arange(1, count + 1) * self.hop / self.rate, seconds)
        return {"bands": bands, "ends": ends}

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of frames of each example."""
        return [
            math.ceil(_described(example.get(self.column), self.column) * self.rate / self.hop)
            for example in examples
        ]

    def _spectrogram(self, content: Any, cut: bool) -> tuple[np.ndarray, float]:
        seconds = _described(content, self.column)
        if seconds > self.max_seconds and not cut:
            raise TooLongError(
                f"The recording lasts {seconds:,.1f} seconds; this model reads {self.max_seconds:g}.",
                hint="send it in parts",
                param=f"/{self.column}",
            )
        try:
            samples, rate = samples_of(content, self.max_seconds)
        except ValueError as error:
            raise _unreadable(self.column, error) from error
        if rate != self.rate:
            # Odd rates are taken for near ones: the filter grows with the terms of the fraction.
            ratio = Fraction(self.rate, rate).limit_denominator(MOST_DENOMINATOR)
            samples = resample_poly(samples, ratio.numerator, ratio.denominator).astype(np.float32)
        return self._log_mel(samples), min(seconds, self.max_seconds)

    def _log_mel(self, samples: np.ndarray) -> np.ndarray:
        count = max(math.ceil(len(samples) / self.hop), 1)
        margin = (self.frame - self.hop) // 2  # frames are centred on their hop
        padded = np.pad(samples, (margin, count * self.hop + self.frame - len(samples)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.frame)[:: self.hop][:count]
        parts = [
            self._powers(frames[start : start + FRAMES_AT_ONCE]) for start in range(0, count, FRAMES_AT_ONCE)
        ]
        return np.asarray(np.log(np.maximum(np.concatenate(parts), self.floor)))

    def _powers(self, frames: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft(frames * self._window, axis=1) / (self.frame / 2)
        return np.asarray((spectrum.real**2 + spectrum.imag**2) @ self._filters, np.float32)

    def state(self) -> dict[str, Any]:
        """Return the column, the frames and the bands."""
        return {
            "column": self.column,
            "rate": self.rate,
            "frame": self.frame,
            "hop": self.hop,
            "bands": self.bands,
            "max_seconds": self.max_seconds,
            "floor": self.floor,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> LogMel:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            rate, frame, hop, bands = (int(state[key]) for key in ("rate", "frame", "hop", "bands"))
            seconds, floor = float(state["max_seconds"]), float(state.get("floor", FIRST_FLOOR))
            if not (
                LOWEST_RATE <= rate <= HIGHEST_RATE
                and 0 < hop <= frame <= rate
                and 0 < bands <= frame
                and floor > 0
            ):
                raise ValueError(f"frames of {frame} samples at {rate} with {bands} bands")
            return cls(str(state["column"]), rate, frame, hop, bands, seconds, floor)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'log_mel' is torn: {error!r}.") from error


def mel_filters(rate: int, frame: int, bands: int) -> np.ndarray:
    """Return triangular filters, evenly spaced in mel, each of height 1, float32, (frame // 2 + 1, bands).

    >>> filters = mel_filters(8000, 256, 20)
    >>> filters.shape, float(filters.max())
    ((129, 20), 1.0)
    """
    top = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)  # Hz
    # A low band may be narrower than the spectrum is fine: its edges move so that it holds its nearest line.
    lines = np.linspace(0, rate / 2, frame // 2 + 1)
    low, centre, high = edges[:-2], lines[np.abs(lines[:, None] - edges[1:-1]).argmin(axis=0)], edges[2:]
    width = rate / frame
    rising = (lines[:, None] - np.minimum(low, centre - width)) / (centre - np.minimum(low, centre - width))
    falling = (np.maximum(high, centre + width) - lines[:, None]) / (
        np.maximum(high, centre + width) - centre
    )
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, 1.0), np.float32)


def _described(content: Any, column: str) -> float:
    if not isinstance(content, bytes):
        raise InputError(
            f"{column!r} is {type(content).__name__}; expected the bytes of a recording.", param=f"/{column}"
        )
    try:
        return described(content).seconds
    except ValueError as error:
        raise _unreadable(column, error) from error


def _unreadable(column: str, error: ValueError) -> InputError:
    return InputError(f"{column!r} cannot be read: {error}.", param=f"/{column}")
