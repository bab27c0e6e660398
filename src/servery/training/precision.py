"""Mixed precision: which numbers a forward pass computes with, and the scaling that float16 needs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from servery.nn.bfloat16 import has_bfloat16_instructions


class Precision:
    """Autocast and gradient scaler of one training.

    Args:
        name: "auto", "native", "float32", "bfloat16" or "float16". "auto" is float32 on a CPU; on a GPU it is
            bfloat16 where the device computes with it, else float16. "native" is the same on a GPU, and bfloat16 on
            a CPU that has instructions for it: worth it for convolutions, which it makes about twice as quick.
        device: Where the network is.

    Source: Micikevicius et al. (2018), Mixed Precision Training, section 3.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self.device = device
        self.name = _automatic(device, name) if name in ("auto", "native") else name
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.name == "float16")

    def forward(self) -> AbstractContextManager[object]:
        """Return the context of a forward pass."""
        if self.name == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.name))


def _automatic(device: torch.device, name: str) -> str:
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "bfloat16" if name == "native" and has_bfloat16_instructions() else "float32"
