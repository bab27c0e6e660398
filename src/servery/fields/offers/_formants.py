"""A small formant synthesiser: letters as sounds of many voices, for samples of speech that need no recordings."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np

from servery.data.audio import wav_of

RATE = 8_000
WORDS = ("go", "stop", "up", "down", "left", "right", "on", "off")


@dataclass(frozen=True)
class Sound:
    """How a letter sounds.

    Attributes:
        seconds: How long, at a middling tempo.
        formants: Resonances in Hz.
        voice: Strength of the voice.
        noise: Strength of the breath.
        closure_seconds: Silence before it, as of lips that open.
    """

    seconds: float
    formants: tuple[float, ...]
    voice: float = 0.0
    noise: float = 0.0
    closure_seconds: float = 0.0


SOUNDS = {
    "a": Sound(0.11, (730, 1090, 2440), voice=1.0),
    "e": Sound(0.11, (530, 1840, 2480), voice=1.0),
    "i": Sound(0.11, (270, 2290, 3010), voice=1.0),
    "o": Sound(0.12, (570, 840, 2410), voice=1.0),
    "u": Sound(0.12, (300, 870, 2240), voice=1.0),
    "r": Sound(0.08, (490, 1350, 1690), voice=0.6),
    "l": Sound(0.08, (360, 1300, 2900), voice=0.6),
    "w": Sound(0.08, (300, 610, 2150), voice=0.5),
    "n": Sound(0.08, (250, 1700, 2600), voice=0.35),
    "s": Sound(0.10, (3500, 3800), noise=0.5),
    "f": Sound(0.10, (1400, 3000), noise=0.25),
    "h": Sound(0.07, (600, 1500, 2500), noise=0.3),
    "t": Sound(0.035, (3000, 3600), noise=0.8, closure_seconds=0.04),
    "p": Sound(0.035, (500, 1000), noise=0.8, closure_seconds=0.04),
    "d": Sound(0.035, (2500, 3000), noise=0.5, voice=0.3, closure_seconds=0.03),
    "g": Sound(0.035, (1500, 2000), noise=0.5, voice=0.3, closure_seconds=0.03),
}
"""Formants of vowels: Peterson and Barney (1952), Control methods used in a study of the vowels, table II, men."""
BANDWIDTH = 120.0


@dataclass(frozen=True)
class Voice:
    """Who speaks: pitch in Hz, how far the resonances are moved, and how slowly."""

    pitch: float
    stretch: float
    slowness: float


def spoken(text: str, chance: np.random.Generator) -> bytes:
    """Return a text as a wav, said by a voice of its own in some noise.

    Args:
        text: Letters of `SOUNDS`, and spaces, which are short silences.
        chance: Source of voice and noise.
    """
    voice = Voice(chance.uniform(90, 240), chance.uniform(0.9, 1.15), chance.uniform(0.85, 1.2))
    parts = [_silence(chance.uniform(0.05, 0.15))]
    for letter in text:
        parts += (
            [_silence(chance.uniform(0.08, 0.2))] if letter == " " else _said(SOUNDS[letter], voice, chance)
        )
    samples = np.concatenate([*parts, _silence(chance.uniform(0.05, 0.15))])
    samples *= chance.uniform(0.3, 0.9) / max(float(np.abs(samples).max()), 1e-9)
    return wav_of(samples + chance.uniform(0.001, 0.01) * chance.standard_normal(len(samples)), RATE)


def example(text: str) -> str:
    """Return a text as the base64 of a wav, always the same."""
    return base64.b64encode(spoken(text, np.random.default_rng(0))).decode("ascii")


def _said(sound: Sound, voice: Voice, chance: np.random.Generator) -> list[np.ndarray]:
    count = int(sound.seconds * voice.slowness * chance.uniform(0.85, 1.15) * RATE)
    formants = np.array(sound.formants) * voice.stretch * chance.uniform(0.97, 1.03)
    samples = np.zeros(count)
    if sound.voice:
        samples += sound.voice * _voiced(count, voice.pitch * chance.uniform(0.95, 1.05), formants)
    if sound.noise:
        samples += sound.noise * _breathed(count, formants, chance)
    return [_silence(sound.closure_seconds), samples * np.hanning(count + 2)[1:-1] ** 0.3]


def _voiced(count: int, pitch: float, formants: np.ndarray) -> np.ndarray:
    """Return the harmonics of a voice, each as loud as the resonances let it be, (count,)."""
    harmonics = pitch * np.arange(1, int(RATE / 2 / pitch))
    times = np.arange(count) / RATE
    waves = np.sin(2 * np.pi * harmonics[:, None] * times)  # (harmonics, count)
    return np.asarray(_resonance(harmonics, formants) @ waves / 3)


def _breathed(count: int, formants: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return noise, louder where the resonances are, (count,)."""
    spectrum = np.fft.rfft(chance.standard_normal(count))
    return np.asarray(np.fft.irfft(spectrum * _resonance(np.fft.rfftfreq(count, 1 / RATE), formants), count))


def _resonance(hertz: np.ndarray, formants: np.ndarray) -> np.ndarray:
    distances = (hertz[:, None] - formants) / BANDWIDTH  # (hertz, formants)
    return np.asarray((1 / (1 + distances**2)).sum(axis=1))


def _silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE))
