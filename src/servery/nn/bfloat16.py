"""Whether this machine's CPU computes with bfloat16 by itself: about twice as quick there, slower elsewhere."""

from __future__ import annotations

import torch


def has_bfloat16_instructions() -> bool:
    """Return whether this machine's CPU computes with bfloat16 by itself."""
    # torch has no public word for it; without its private one the safe answer is no.
    look = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(look is not None and look())
