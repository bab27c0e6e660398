"""How good a set of pictures is: its distance from real ones in a space of features, and what is copied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COPY_DISTANCE = 0.15
"""From a picture that differs by less than this share of the other's contrast, an eye sees the same picture."""
LEAST_CONTRAST = 0.02
"""Contrast of a nearly even picture, of 1, so that even ones differ by more than rounding."""
_CHUNK_ROWS = 256


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of features.

    Attributes:
        mean: float64, (features,).
        covariance: float64, (features, features).
    """

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Moments:
        """Return the moments of rows of features, (rows, features), at least two rows."""
        rows = features.astype(np.float64)
        mean = rows.mean(axis=0)
        centred = rows - mean
        return cls(mean, centred.T @ centred / max(len(rows) - 1, 1))


def frechet_distance(one: Moments, other: Moments) -> float:
    """Return how far two sets of features are apart, taken for normally distributed; 0 for equal ones.

    The trace of the square root of a product of covariances is the sum of the roots of the eigenvalues of
    A^(1/2) B A^(1/2), which is symmetric.

    Source: Heusel et al. (2017), GANs trained by a two time-scale update rule, equation 6.

    >>> even = Moments(np.zeros(2), np.eye(2))
    >>> frechet_distance(even, Moments(np.array([3.0, 0.0]), 4 * np.eye(2)))
    11.0
    """
    values, vectors = np.linalg.eigh(one.covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ other.covariance @ root).clip(0)).sum()
    spread = np.trace(one.covariance) + np.trace(other.covariance) - 2 * shared
    return float(max(((one.mean - other.mean) ** 2).sum() + spread, 0.0))


def nearest(pictures: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return of each picture the place of the nearest other one, and how far it is, as root mean square.

    Args:
        pictures: From 0 to 1, (rows, channels, height, width).
        others: Of the same shape, at least one.

    >>> places, distances = nearest(np.zeros((1, 1, 2, 2)), np.ones((3, 1, 2, 2)))
    >>> places.tolist(), distances.tolist()
    ([0], [1.0])
    """
    flat, known = (array.reshape(len(array), -1).astype(np.float64) for array in (pictures, others))
    squares = (known**2).sum(axis=1)
    places, distances = np.empty(len(flat), np.int64), np.empty(len(flat))
    for start in range(0, len(flat), _CHUNK_ROWS):
        rows = flat[start : start + _CHUNK_ROWS]
        apart = squares - 2 * rows @ known.T  # (rows, others), without what all have in common
        best = apart.argmin(axis=1)
        places[start : start + len(rows)] = best
        # Anew from the pictures: the difference of large squares would leave rounding where two are equal.
        distances[start : start + len(rows)] = np.sqrt(((rows - known[best]) ** 2).mean(axis=1))
    return places, distances


def contrast_of(pictures: np.ndarray) -> np.ndarray:
    """Return how much the pixels of each picture vary around their channel's mean, root mean square, (rows,)."""
    centred = pictures - pictures.mean(axis=(2, 3), keepdims=True)
    return np.asarray(np.sqrt((centred**2).mean(axis=(1, 2, 3))).clip(LEAST_CONTRAST))


def copies(pictures: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return of each picture the nearest other one, and their difference as a share of that one's contrast.

    Up to `COPY_DISTANCE` it is a copy.

    Args:
        pictures: From 0 to 1, (rows, channels, height, width).
        others: Of the same shape, at least one.
    """
    places, distances = nearest(pictures, others)
    return places, distances / contrast_of(others[places])
