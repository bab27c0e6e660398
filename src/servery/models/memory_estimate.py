"""How much memory a pretrained model will take, told from the heads of its files before any of it is loaded."""

from __future__ import annotations

import json
import os
import struct
from math import prod
from pathlib import Path

from servery.errors import ArtifactError

BYTES_PER_WEIGHT = 4
"""Everything is computed in float32, whatever the files hold."""
PROCESS_BYTES = 450 * 2**20
"""A process with torch and the library."""
WORK_SHARE = 0.2
"""Of the weights, for what is computed between them."""
LONGEST_HEAD = 100 * 2**20


def needed_bytes(weights: int) -> int:
    """Return how much memory a process with a model of so many weights takes.

    >>> round(needed_bytes(22_000_000) / 2**20)
    551
    """
    return PROCESS_BYTES + int((1 + WORK_SHARE) * BYTES_PER_WEIGHT * weights)


def weights_in(folder: Path) -> int:
    """Return the number of weights in a folder's safetensors files.

    Raises:
        ArtifactError: There is none, or a torn one.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ArtifactError(
            f"{folder.name} holds no weights as safetensors.",
            hint="weights as pickle (.bin, .pt) are never read; convert them with the model's own library",
        )
    return sum(_weights(file) for file in files)


def machine_memory_bytes() -> int:
    """Return the memory of this machine, or of the container it runs in; 0 where nobody tells."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # control groups, version 2 and 1
        limit = Path("/sys/fs/cgroup", name)
        if limit.exists() and (text := limit.read_text().strip()).isdigit():
            total = min(total, int(text))
    return total


def _weights(file: Path) -> int:
    """Read the head alone: eight bytes of length, then JSON."""
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            if length > LONGEST_HEAD:
                raise ValueError(f"its head has {length:,} bytes")
            head = json.loads(opened.read(length))
        return sum(prod(tensor["shape"]) for name, tensor in head.items() if name != "__metadata__")
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{file.name} is no safetensors file: {error!r}.") from error
