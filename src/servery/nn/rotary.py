"""Where a token stands, told by turning its query and key; with the ways to stretch it over longer texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

KINDS = ("default", "linear", "llama3")


def rotation_rates(head_size: int, theta: float, scaling: Mapping[str, Any] | None = None) -> Tensor:
    """Return how far each pair of numbers turns from one token to the next, in radians, (head_size / 2,).

    Source: Su et al. (2021), RoFormer: enhanced transformer with rotary position embedding, section 3.2.2; "linear":
    Chen et al. (2023), Extending context window of large language models via position interpolation, section 2.3;
    "llama3": Grattafiori et al. (2024), The Llama 3 herd of models, section 3.2, in the form of its release.

    Args:
        head_size: Length of a head's vectors; even.
        theta: Base of the rates.
        scaling: `rope_type`, one of KINDS, and its numbers under the names of the Hugging Face layout.

    >>> rotation_rates(4, 10_000.0)
    tensor([1.0000, 0.0100])
    """
    rates = 1.0 / (theta ** (torch.arange(0, head_size, 2, dtype=torch.int64).float() / head_size))
    kind = (scaling or {}).get("rope_type", "default")
    if scaling is None or kind == "default":
        return rates
    factor = float(scaling["factor"])
    if kind == "linear":
        return rates / factor
    # Slow turns are stretched, quick ones left, and those between are mixed.
    low, high = float(scaling["low_freq_factor"]), float(scaling["high_freq_factor"])
    turns = float(scaling["original_max_position_embeddings"]) * rates / (2 * math.pi)
    share = ((turns - low) / (high - low)).clamp(0.0, 1.0)
    return (1 - share) * rates / factor + share * rates


def rotations(places: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of the turns at these places, each (..., 2 * len(rates)).

    Args:
        places: Numbers of the tokens in their texts, from 0.
        rates: From `rotation_rates`.
    """
    angles = places.unsqueeze(-1).float() * rates
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotated(vectors: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Return the vectors turned; number i is paired with number i + size / 2, as in the Hugging Face layout.

    Args:
        vectors: (..., size).
        cosines: From `rotations`, broadcast to `vectors`.
        sines: As `cosines`.
    """
    half = vectors.shape[-1] // 2
    turned = torch.cat([-vectors[..., half:], vectors[..., :half]], dim=-1)
    return vectors * cosines + turned * sines
