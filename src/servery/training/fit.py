"""One fit: the loop over steps, and what happens between them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from servery.errors import ArtifactError, InterruptedTrainingError, StorageError, TrainingError
from servery.models.recipe import Examples, Learned, Objective
from servery.progress import Progress
from servery.training.checkpoint import Checkpoint, CheckpointFolder
from servery.training.clock import Clock
from servery.training.losses import RunningLoss
from servery.training.options import Options
from servery.training.schedule import learning_rate
from servery.training.signals import StopRequestedError, StopSignals
from servery.training.state import State
from servery.training.surroundings import forked_random

LOOK_SECONDS = 0.1
"""How often the loop looks at the losses, tells of its progress and thinks of saving."""

SAVE_SHARE = 0.02
"""Saving takes at most this share of the time, whatever interval was asked for."""


class Fit:
    """A training under way; the step is its unit, and every step boundary can be saved and taken up again.

    Args:
        state: Network, optimizer and position, on their device.
        examples: What is learned from.
        objective: What is minimised and watched.
        options: How.
        seed: Order of batches and augmentation follow from it.
        belongs_to: What a checkpoint must say to be taken up.
        folder: Where checkpoints go; None for none.
        save_every_seconds: Seconds between checkpoints.
        save_every_steps: Steps between checkpoints; 0 goes by seconds alone.
        clock: Started when the fit was.
        signals: Requests to stop.
        progress: Hears the news.
    """

    def __init__(
        self,
        *,
        state: State,
        examples: Examples,
        objective: Objective,
        options: Options,
        seed: int,
        belongs_to: Mapping[str, str],
        folder: CheckpointFolder | None,
        save_every_seconds: float,
        save_every_steps: int,
        clock: Clock,
        signals: StopSignals,
        progress: Progress,
    ) -> None:
        self.state = state
        self.examples = examples
        self.objective = objective
        self.options = options
        self.seed = seed
        self.belongs_to = belongs_to
        self.folder = folder
        self.save_every_seconds = save_every_seconds
        self.save_every_steps = save_every_steps
        self.clock = clock
        self.signals = signals
        self.progress = progress
        self.losses = RunningLoss()
        self._validated_step, self._metrics = -1, dict[str, float]()
        self._weights = [w for w in state.network.parameters() if w.requires_grad]
        self._next_look = self._last_save = time.monotonic()

    def run(self) -> Learned:
        """Train to the end, from the checkpoint if there is one; the network then holds the best weights."""
        self._resume()
        position = self.state.position
        is_new = not position.stopped
        try:
            while not position.stopped:
                is_whole = self._train_epoch()
                position.stopped = self._end_epoch(is_whole)
        except StopRequestedError as request:
            self._save()
            raise self._interrupted(str(request)) from None
        except TrainingError as error:
            self._keep_best(error)
            raise
        self.state.network.load_state_dict(self.state.best)
        if is_new:
            self._tell(0, 0)
            self._save()
        if self.signals.received:
            raise self._interrupted(self.signals.received)
        return Learned(tuple(position.history), position.stopped, position.best_epoch)

    def _train_epoch(self) -> bool:
        """Do the steps that are left of the present epoch; return whether all were done."""
        position, clock = self.state.position, self.clock
        batches = self.examples.order(self.seed, position.epoch, self.options.batch_size)
        if not batches:
            raise TrainingError(f"There are fewer rows ({len(self.examples)}) than one batch takes.")
        self.state.network.train()
        clock.begin_steps()
        for index in range(position.batch, len(batches)):
            # A deadline shorter than a step still gets one: a model that learned nothing is no answer.
            if position.step and clock.is_over():
                return False
            # The middle of the step: neither the first nor the last is spent at a learning rate of zero.
            self._set_learning_rate((position.epoch + (index + 0.5) / len(batches)) / self.options.epochs)
            loss = self._step(batches[index], index)
            position.batch, position.step = index + 1, position.step + 1
            self.losses.add(loss, len(batches[index]), position.step, position.learning_rate)
            clock.end_step()
            self._between_steps(len(batches))
        return True

    def _step(self, rows: np.ndarray, index: int) -> torch.Tensor:
        """Learn from one batch, in pieces if asked to, and return its mean loss."""
        optimizer, scaler = self.state.optimizer, self.state.precision.scaler
        pieces = self.options.accumulation_steps
        # What optimizer.zero_grad does, without its wrappers, which cost as much as a small layer.
        for weight in self._weights:
            weight.grad = None
        if pieces == 1:
            loss = self._loss(rows, index)
            torch.autograd.backward(scaler.scale(loss))
        else:
            loss = torch.zeros((), device=self.state.device)
            for number, piece in enumerate(np.array_split(rows, min(pieces, len(rows)))):
                part = self._loss(piece, index * pieces + number) * (len(piece) / len(rows))
                torch.autograd.backward(scaler.scale(part))
                loss = loss + part.detach()
        if self.options.gradient_clip:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self._weights, self.options.gradient_clip)
        scaler.step(optimizer)
        scaler.update()
        if self.state.average:
            self.state.average.update(self.state.position.step + 1)
        return loss

    def _loss(self, rows: np.ndarray, index: int) -> torch.Tensor:
        inputs, targets = self.examples.batch(rows, self.seed, self.state.position.epoch, index)
        if self.state.device.type != "cpu":
            inputs, targets = _moved(inputs, self.state.device), _moved(targets, self.state.device)
        with self.state.precision.forward():
            loss: torch.Tensor = self.objective.loss(self.state.network, inputs, targets)
        return loss

    def _set_learning_rate(self, share: float) -> None:
        rate = learning_rate(
            self.options.learning_rate,
            max(share, self.clock.share),
            self.options.schedule,
            self.options.warmup_share,
        )
        for group in self.state.optimizer.param_groups:
            group["lr"] = rate
        self.state.position.learning_rate = rate

    def _between_steps(self, batches: int) -> None:
        position = self.state.position
        self.signals.poll()
        if self.clock.wants_a_probe():
            self._consider(self._validate())
        if self.save_every_steps and position.step % self.save_every_steps == 0:
            self._save_if_possible()
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        self.losses.settle()
        self._tell(position.batch, batches)
        interval = max(self.save_every_seconds, self.clock.save_seconds / SAVE_SHARE)
        if not self.save_every_steps and now - self._last_save >= interval:
            self._save_if_possible()

    def _end_epoch(self, is_whole: bool) -> str:
        """Validate and write the history; return why the training ends here, or nothing."""
        position = self.state.position
        self.losses.settle()
        metrics = {}
        if self._validated_step == position.step:
            metrics = self._metrics
        elif position.best_metric is None or self.clock.allows_validation():
            metrics = self._validate()
        row = {
            "epoch": float(position.epoch + 1),
            "step": float(position.step),
            "seconds": self.clock.elapsed_seconds,
            "loss": self.losses.mean,
            "learning_rate": position.learning_rate,
        }
        position.history.append(row | metrics)
        if metrics:
            self._consider(metrics)
            is_best = position.best_step == position.step
            position.epochs_without_gain = 0 if is_best else position.epochs_without_gain + 1
        position.epoch, position.batch = position.epoch + 1, 0
        self.losses = RunningLoss()
        return self._reason_to_stop(is_whole)

    def _reason_to_stop(self, is_whole: bool) -> str:
        position, patience = self.state.position, self.options.patience
        if not is_whole:
            return "deadline"
        if position.epoch >= self.options.epochs:
            return "epochs"
        if patience and position.epochs_without_gain >= patience:
            return "early stopping"
        return "deadline" if self.clock.is_over() else ""

    def _validate(self) -> dict[str, float]:
        """Return the metrics of the weights, or of their average; random numbers stay as they were.

        Raises:
            StopRequestedError: A signal came; looked at before each batch that passes the network.
            TrainingError: The primary metric is missing or not finite.
        """
        network, name = self.state.network, self.objective.primary_metric
        start = time.monotonic()
        network.eval()
        poll = network.register_forward_pre_hook(self.signals.poll)
        try:
            with torch.no_grad(), forked_random(self.state.device):
                if self.state.average:
                    with self.state.average.in_place():
                        metrics = self.objective.validate(network)
                else:
                    metrics = self.objective.validate(network)
        finally:
            poll.remove()
            network.train()
        self.clock.validation_seconds = time.monotonic() - start
        self.clock.begin_steps()
        if not math.isfinite(metrics.get(name, math.nan)):
            raise TrainingError(
                f"After step {self.state.position.step} the validation gave no finite {name}; "
                f"it returned {metrics}.",
                hint="Try a smaller learning_rate or a gradient_clip.",
            )
        self._validated_step, self._metrics = self.state.position.step, metrics
        return metrics

    def _consider(self, metrics: dict[str, float]) -> None:
        """Keep the weights if they are the best so far."""
        metric, best = metrics[self.objective.primary_metric], self.state.position.best_metric
        if best is None or metric > best:
            self.state.keep_as_best(metric)

    def _tell(self, batch: int, batches: int) -> None:
        position, options = self.state.position, self.options
        epochs = position.epoch + (batch / batches if batches else 0.0)
        share = 1.0 if position.stopped else max(epochs / options.epochs, self.clock.share)
        loss = position.history[-1]["loss"] if position.stopped else self.losses.mean
        note = f"epoch {min(position.epoch + 1, options.epochs)}/{options.epochs} loss {loss:.3g}"
        if position.best_metric is not None:
            note += f" best {self.objective.primary_metric} {position.best_metric:.3f}"
        self.progress.update("Train", share * options.epochs, options.epochs, note)

    def _resume(self) -> None:
        if self.folder is None:
            return
        try:
            checkpoint = self.folder.load(self.belongs_to)
        except ArtifactError as error:
            self.progress.say("Checkpoint", f"{error.message} The training starts from the beginning.")
            return
        if checkpoint is None:
            return
        values = dict(checkpoint.state)
        self.state.restore(checkpoint.training, values, checkpoint.best)
        self.losses = RunningLoss(self.state.position.loss_sum, self.state.position.rows)
        self.clock.earlier_seconds = values["elapsed_seconds"]
        self.clock.validation_seconds = values["validation_seconds"]
        going_on = "had ended at" if self.state.position.stopped else "goes on after"
        self.progress.say("Checkpoint", f"the training {going_on} step {checkpoint.step:,}")

    def _save(self) -> None:
        """Write a checkpoint of this step boundary.

        Raises:
            TrainingError: A loss since the last look is not finite; nothing is written then.
            StorageError: The disk refused.
        """
        self.losses.settle()
        if self.folder is None:
            return
        position, start = self.state.position, time.monotonic()
        position.loss_sum, position.rows = self.losses.loss_sum, self.losses.rows
        values = self.state.values() | {
            "elapsed_seconds": self.clock.elapsed_seconds,
            "validation_seconds": self.clock.validation_seconds,
        }
        tensors = {} if position.stopped else self.state.tensors()
        self.folder.save(
            Checkpoint(self.belongs_to, values, position.step, tensors, self.state.best, position.best_step)
        )
        self._last_save = time.monotonic()
        self.clock.save_seconds = self._last_save - start
        self.clock.begin_steps()

    def _save_if_possible(self) -> None:
        # A full disk in the middle of the night should cost the checkpoint, not the training.
        try:
            self._save()
        except StorageError as error:
            self._last_save = time.monotonic()
            self.progress.say("Checkpoint", f"{error.message} The training goes on without it.")

    def _interrupted(self, cause: str) -> InterruptedTrainingError:
        step = self.state.position.step
        if self.folder is None:
            return InterruptedTrainingError(
                f"The training was stopped by {cause} after step {step:,}; no run folder, nothing saved."
            )
        return InterruptedTrainingError(
            f"The training was stopped by {cause} after step {step:,} and is saved in {self.folder.path}.",
            hint="The same command continues it.",
        )

    def _keep_best(self, error: TrainingError) -> None:
        if self.folder is not None and self.state.best:
            path = self.folder.keep("best", self.state.position.best_step, self.state.best)
            error.hint = f"{error.hint or ''} The best weights so far are in {path}.".strip()


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {name: _moved(part, device) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_moved(part, device) for part in value)
    return value
