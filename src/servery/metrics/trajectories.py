"""How far predicted tracks are from where agents went, and whether the predicted ones run into each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GUESSES = 20
"""Tracks of which the best one counts, where several are asked for: the protocol of Gupta et al. (2018)."""
MISSED_METRES = 2.0
"""A final position farther off is a miss (Caesar et al. 2020, nuScenes prediction challenge)."""
TOUCHING_METRES = 0.2
"""Two people nearer than this collide (Kothari, Kreiss, Alahi 2021, TrajNet++, section IV.B)."""


@dataclass(frozen=True)
class TrackErrors:
    """Distances of the tracks of some agents from the truth.

    Attributes:
        steps: Of the best guess at every step, metres, (agents, steps).
        least_mean: Mean over the steps, of the guess where that is least, (agents,).
        least_final: Distance at the last step, of the guess where that is least, (agents,).
        steady: As `steps`, of an agent that goes on as it went, (agents, steps).
    """

    steps: np.ndarray
    least_mean: np.ndarray
    least_final: np.ndarray
    steady: np.ndarray


def track_errors(truth: np.ndarray, guesses: np.ndarray, velocity: np.ndarray) -> TrackErrors:
    """Compare guesses with the truth.

    Args:
        truth: Where each agent went, from where it is now, (agents, steps, 2).
        guesses: The best guess, then others, the surest first, (agents, guesses, steps, 2).
        velocity: Of the last step, metres a step, (agents, 2).

    Source: Gupta et al. (2018), Social GAN, section 4 (ADE, FDE, best of 20; here the best guess of each agent).

    >>> still = np.zeros((1, 1, 2, 2))
    >>> track_errors(np.array([[[1.0, 0.0], [2.0, 0.0]]]), still, np.array([[1.0, 0.0]])).steps
    array([[1., 2.]])
    """
    distances = np.sqrt(
        ((guesses[:, :GUESSES] - truth[:, None]) ** 2).sum(axis=3)
    )  # (agents, guesses, steps)
    ahead = velocity[:, None] * np.arange(1, truth.shape[1] + 1)[None, :, None]
    return TrackErrors(
        distances[:, 0],
        distances.mean(axis=2).min(axis=1),
        distances[:, :, -1].min(axis=1),
        np.sqrt(((ahead - truth) ** 2).sum(axis=2)),
    )


def touching(tracks: np.ndarray) -> np.ndarray:
    """Return which agents come too near to another one at any step, bool, (agents,).

    Args:
        tracks: In one frame, metres, (agents, steps, 2).

    >>> touching(np.array([[[0.0, 0.0]], [[0.1, 0.0]], [[5.0, 0.0]]])).tolist()
    [True, True, False]
    """
    apart = ((tracks[:, None] - tracks[None]) ** 2).sum(axis=3)  # (agents, agents, steps)
    apart[np.arange(len(tracks)), np.arange(len(tracks))] = np.inf
    return np.asarray((apart < TOUCHING_METRES**2).any(axis=(1, 2)))
