"""The trainer: plain torch, seeded, resumable to the bit, on time. It knows protocols, no task and no field.

What it promises, and where:

- the order of batches, and with it every weight, follows from the seed (`fit.py`);
- a run killed at any moment and started again ends with the same bits on a CPU (`checkpoint.py`, `state.py`);
- a deadline is kept, and the best model so far handed back (`clock.py`);
- SIGTERM and SIGINT save and leave (`signals.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from servery.errors import EmptyDataError
from servery.models.recipe import Budget, Examples, Learned, Objective
from servery.progress import Progress, Silence
from servery.training.checkpoint import CheckpointFolder
from servery.training.clock import Clock
from servery.training.fit import Fit
from servery.training.options import Options
from servery.training.signals import StopSignals
from servery.training.state import State
from servery.training.surroundings import surroundings


class Trainer:
    """Trains networks; the `Loop` that recipes are given.

    A recipe may fit several networks with one trainer, in the same order each time: each has its subfolder. A fit
    that ended before hands back its result without a step.

    Args:
        run_folder: Where checkpoints go; None for none.
        seed: Everything random follows from it.
        budget: Deadline of each fit, and CPU threads.
        progress: Hears the news.
        device: "cpu", "cuda" ...; None takes the GPU where there is one.
        checkpoint_every_seconds: Seconds between checkpoints, at most lost to a kill.
        checkpoint_every_steps: Steps between checkpoints, in place of the seconds; 0 goes by seconds.
        identity: What else a checkpoint must agree on to be taken up: a fingerprint of data and plan.
    """

    def __init__(
        self,
        run_folder: Path | None = None,
        seed: int = 0,
        budget: Budget | None = None,
        progress: Progress | None = None,
        device: str | None = None,
        checkpoint_every_seconds: float = 30.0,
        checkpoint_every_steps: int = 0,
        identity: str = "",
    ) -> None:
        self.run_folder = run_folder
        self.seed = seed
        self.budget = budget or Budget()
        self.progress = progress or Silence()
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.checkpoint_every_seconds = checkpoint_every_seconds
        self.checkpoint_every_steps = checkpoint_every_steps
        self.identity = identity
        self._fits = 0
        self._signals = StopSignals()

    def stop(self) -> None:
        """Ask the fit under way to save and leave at its next step; may be called from any thread."""
        self._signals.request()

    def fit(
        self,
        network: torch.nn.Module,
        examples: Examples,
        objective: Objective,
        hyperparameters: Mapping[str, Any],
    ) -> Learned:
        """Train `network` in place and leave the best epoch's weights in it, on the device it came from.

        `hyperparameters` may hold any attribute of `training.options.Options`; other keys are the recipe's.
        With a deadline the schedule goes by the larger of the share of steps and the share of time, so that a
        run that the clock cuts short still ends at a low learning rate (Li, Yumer, Ramanan (2020), Budgeted
        Training, section 4); without one it depends on steps alone, and the weights on nothing but the seed.

        Raises:
            DataError: A hyperparameter is wrong, or there are no examples.
            TrainingError: The loss is not finite, or the run folder holds another training.
            InterruptedTrainingError: SIGTERM, SIGINT or `stop` came; the same call continues.
            StorageError: The last checkpoint could not be written.
        """
        clock = Clock(self.budget.deadline_seconds)
        options = Options.read(hyperparameters)
        if len(examples) == 0:
            raise EmptyDataError("There is no example to learn from.")
        number, self._fits = self._fits, self._fits + 1
        home = next(network.parameters()).device
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1, np.uint64)[0])
        with surroundings(seed, self.budget.threads, self.device), self._signals as signals:
            network.to(self.device)
            fit = Fit(
                state=State(network, options, self.device),
                examples=examples,
                objective=objective,
                options=options,
                seed=self.seed,
                belongs_to=self._belongs_to(network, examples, options, hyperparameters),
                folder=CheckpointFolder(self.run_folder / f"fit-{number}") if self.run_folder else None,
                save_every_seconds=self.checkpoint_every_seconds,
                save_every_steps=self.checkpoint_every_steps,
                clock=clock,
                signals=signals,
                progress=self.progress,
            )
            try:
                return fit.run()
            finally:
                network.to(home)

    def _belongs_to(
        self,
        network: torch.nn.Module,
        examples: Examples,
        options: Options,
        hyperparameters: Mapping[str, Any],
    ) -> dict[str, str]:
        shapes = [f"{k}:{v.dtype}:{tuple(v.shape)}" for k, v in network.state_dict().items()]
        settings = {**asdict(options), **hyperparameters}
        return {
            "identity": self.identity,
            "seed": str(self.seed),
            "device": self.device.type,
            "hyperparameters": json.dumps(settings, sort_keys=True, default=str),
            "network": _digest([repr(shapes).encode()]),
            "data": _data_digest(examples, options.batch_size),
        }


def _data_digest(examples: Examples, batch_size: int) -> str:
    """Return a digest of the number of rows, the first epoch's order and the first batch's tensors."""
    batches = examples.order(0, 0, batch_size)
    parts = [str(len(examples)).encode(), *(np.asarray(rows).tobytes() for rows in batches)]
    if batches:
        parts += _tensor_bytes(examples.batch(batches[0], 0, 0, 0))
    return _digest(parts)


def _digest(parts: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def _tensor_bytes(value: Any) -> list[bytes]:
    if isinstance(value, torch.Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        return [repr(value.shape).encode(), flat.numpy().tobytes()]
    if isinstance(value, Mapping):
        return [part for name in sorted(value) for part in (name.encode(), *_tensor_bytes(value[name]))]
    if isinstance(value, tuple | list):
        return [part for item in value for part in _tensor_bytes(item)]
    return [repr(value).encode()]
