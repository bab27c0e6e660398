"""Each agent's own frame: it stands at the origin and looks along the first axis."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

OLDER = 0.6
"""How much a step counts for the heading, beside the step after it."""
STANDING = 1e-3
"""Metres a step under which an agent has no heading of its own."""


class Frames(NamedTuple):
    """Tracks as their own agents see them.

    Attributes:
        places: Of each step, (rows, agents, steps, 2), 0 where unseen.
        moves: From each step to the next, (rows, agents, steps - 1, 2), 0 where one of the two is unseen.
        known: 1 where a move is known, (rows, agents, steps - 1).
        heading: Cosine and sine of the heading, (rows, agents, 2).
        velocity: Of the last move, (rows, agents, 2).
        here: 1 for an agent that is seen now, (rows, agents).
    """

    places: Tensor
    moves: Tensor
    known: Tensor
    heading: Tensor
    velocity: Tensor
    here: Tensor


def frames_of(positions: Tensor, seen: Tensor) -> Frames:
    """Return every agent's track in its own frame.

    Args:
        positions: Metres, (rows, agents, steps, 2).
        seen: 1 or 0, (rows, agents, steps).
    """
    known = seen[:, :, 1:] * seen[:, :, :-1]  # (rows, agents, steps - 1)
    moves = (positions[:, :, 1:] - positions[:, :, :-1]) * known.unsqueeze(3)
    count = moves.shape[2]
    weights = OLDER ** torch.arange(count - 1, -1, -1, device=moves.device, dtype=moves.dtype)
    way = (moves * weights[:, None]).sum(dim=2)  # (rows, agents, 2)
    length = way.pow(2).sum(dim=2, keepdim=True).clamp(min=1e-12).sqrt()
    ahead = torch.tensor([1.0, 0.0], device=way.device, dtype=way.dtype)
    heading = torch.where(length > STANDING, way / length, ahead)
    here = seen[:, :, -1]
    places = (positions - positions[:, :, -1:]) * (seen * here.unsqueeze(2)).unsqueeze(3)
    turned = turned_to(moves, heading.unsqueeze(2))
    return Frames(turned_to(places, heading.unsqueeze(2)), turned, known, heading, turned[:, :, -1], here)


def turned_to(vectors: Tensor, heading: Tensor) -> Tensor:
    """Return vectors of the world as an agent with that heading sees them; both (..., 2).

    >>> turned_to(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1.0])).tolist()
    [2.0, 0.0]
    """
    cosine, sine = heading[..., 0], heading[..., 1]
    x, y = vectors[..., 0], vectors[..., 1]
    return torch.stack([x * cosine + y * sine, y * cosine - x * sine], dim=-1)


def turned_back(vectors: Tensor, heading: Tensor) -> Tensor:
    """Return vectors of an agent's frame in the world's directions; both (..., 2)."""
    return turned_to(vectors, heading * torch.tensor([1.0, -1.0], device=heading.device, dtype=heading.dtype))
