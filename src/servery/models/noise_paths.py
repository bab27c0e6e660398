"""The ways from noise to a picture: how much of each is there at a time, what a network learns, how a step goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from servery.errors import UnknownNameError

LEAST_NOISE = 1e-3
"""A share of noise that is not divided by."""


class NoisePath(ABC):
    """At time 0 all is noise, at time 1 all is picture, from -1 to 1.

    A network that knows where it should go tells the picture and the noise that it sees at once; a step puts these
    together again with the shares of a later time.
    """

    name: ClassVar[str]

    @abstractmethod
    def times(self, generator: np.random.Generator, rows: int) -> np.ndarray:
        """Draw times to learn at, float32, (rows,)."""

    @abstractmethod
    def shares(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the shares of picture and noise at a time."""

    @abstractmethod
    def goal(self, picture: np.ndarray, noise: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return what a network should put out."""

    @abstractmethod
    def picture(self, seen: np.ndarray, output: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return the picture that a network's output means, from -1 to 1."""

    def mixed(self, picture: np.ndarray, noise: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return what a network sees at a time."""
        of_picture, of_noise = self.shares(time)
        return np.asarray(of_picture * picture + of_noise * noise)

    def stepped(
        self, seen: np.ndarray, picture: np.ndarray, time: np.ndarray, later: np.ndarray
    ) -> np.ndarray:
        """Return what is seen at a later time, with the noise that explains what is seen now.

        Source: Song, Meng, Ermon (2021), Denoising diffusion implicit models, equation 12 without fresh noise.

        Args:
            seen: At `time`, (rows, ...).
            picture: What it is expected to become.
            time: Below 1, to be multiplied with `seen`.
            later: Likewise.
        """
        of_picture, of_noise = self.shares(time)
        noise = (seen - of_picture * picture) / np.maximum(of_noise, LEAST_NOISE)
        then_picture, then_noise = self.shares(later)
        return np.asarray(then_picture * picture + then_noise * noise)


class StraightPath(NoisePath):
    """A straight line at one speed; a network learns the speed.

    Source: Lipman et al. (2023), Flow matching for generative modeling, section 4.1; the times: Esser et al. (2024),
    Scaling rectified flow transformers, section 3.1.
    """

    name = "straight"

    def times(self, generator: np.random.Generator, rows: int) -> np.ndarray:
        """Draw from a logit-normal: mostly from the middle, where the choice is made."""
        return (1 / (1 + np.exp(-generator.standard_normal(rows)))).astype(np.float32)

    def shares(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return t and 1 - t."""
        return time, 1 - time

    def goal(self, picture: np.ndarray, noise: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return the way from the noise to the picture."""
        return np.asarray(picture - noise)

    def picture(self, seen: np.ndarray, output: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return where the line ends."""
        return np.asarray(np.clip(seen + (1 - time) * output, -1, 1))


class CosinePath(NoisePath):
    """A quarter of a circle; a network learns the noise, turned ("v").

    Source: Nichol, Dhariwal (2021), Improved denoising diffusion probabilistic models, section 3.2; Salimans, Ho
    (2022), Progressive distillation, appendix D.
    """

    name = "cosine"

    def times(self, generator: np.random.Generator, rows: int) -> np.ndarray:
        """Draw evenly."""
        return generator.random(rows, dtype=np.float32)

    def shares(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sine and the cosine of a quarter turn times t."""
        return np.sin(time * np.pi / 2, dtype=np.float32), np.cos(time * np.pi / 2, dtype=np.float32)

    def goal(self, picture: np.ndarray, noise: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return the speed along the circle, the other way."""
        of_picture, of_noise = self.shares(time)
        return np.asarray(of_picture * noise - of_noise * picture)

    def picture(self, seen: np.ndarray, output: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return the picture that would be seen at the end."""
        of_picture, of_noise = self.shares(time)
        return np.asarray(np.clip(of_picture * seen - of_noise * output, -1, 1))


PATHS: dict[str, NoisePath] = {path.name: path for path in (StraightPath(), CosinePath())}


def find_path(name: str) -> NoisePath:
    """Return the path of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in PATHS:
        raise UnknownNameError.among("noise path", name, PATHS)
    return PATHS[name]
