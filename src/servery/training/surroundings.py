"""What a fit changes in the process: threads, random numbers, determinism; all put back after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def surroundings(seed: int, threads: int, device: torch.device) -> Iterator[None]:
    """Run the block with its own random numbers and thread count.

    With several CPU threads torch is told to prefer deterministic sums: the backward pass of indexing would
    else add in the order in which threads arrive, and a resumed run would end with other weights. One thread
    needs no telling.

    Args:
        seed: Start of torch's random numbers inside the block.
        threads: CPU threads of torch; 0 means all cores.
        device: Where the network is.
    """
    threads_before = torch.get_num_threads()
    is_deterministic, is_warning = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    is_filling = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.set_num_threads(threads or os.cpu_count() or 1)
    if device.type == "cpu" and torch.get_num_threads() > 1:
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Overwriting fresh memory is a debugging aid of torch's and costs a pass over every tensor.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with forked_random(device):
            torch.manual_seed(seed)
            yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = is_filling  # type: ignore[attr-defined]
        torch.use_deterministic_algorithms(is_deterministic, warn_only=is_warning)
        torch.set_num_threads(threads_before)


@contextmanager
def forked_random(device: torch.device) -> Iterator[None]:
    """Give torch's random numbers back as they were, whatever the block draws."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        yield


def random_tensors(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the states of torch's generators that a network on `device` draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random(tensors: dict[str, torch.Tensor], device: torch.device) -> None:
    """Put back what `random_tensors` returned."""
    torch.set_rng_state(tensors["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors["cuda"], device)
