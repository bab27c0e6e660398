"""Checkpoints on disk: safetensors and JSON, written so that a kill at any moment leaves a whole one.

A run folder holds `checkpoint.json` and the files it names, each with its sha256:

    checkpoint.json                what it belongs to, the state, the names and hashes of the files
    training-000000120.safetensors weights, optimizer, average and random numbers after step 120
    best-000000090.safetensors     the weights of the best validation so far

Files of tensors never change once they are there. `checkpoint.json` is replaced by one rename after they are
on the disk, so it names whole files before and after; files that it no longer names are removed last.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from servery.errors import ArtifactError, StorageError, TrainingError

FORMAT = 1
INDEX = "checkpoint.json"
PARTIAL = ".partial"

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on as if it had never stopped.

    Attributes:
        belongs_to: What the run is about: seed, options, data, shapes. Another run's checkpoint is refused.
        state: Position, history and counters, as JSON types.
        step: Steps done.
        training: Weights, optimizer, average, random numbers; empty once the run is over.
        best: Weights of the best validation so far; empty before the first.
        best_step: Steps done when they were validated.
    """

    belongs_to: Mapping[str, str]
    state: Mapping[str, Any]
    step: int
    training: Tensors = field(default_factory=dict)
    best: Tensors = field(default_factory=dict)
    best_step: int = 0


class CheckpointFolder:
    """The one place of a run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hashes: dict[str, str] = {}

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint; the one before stays valid until this one is whole.

        Raises:
            StorageError: The disk is full, the folder cannot be written, or the like.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            files = {}
            if checkpoint.training:
                files["training"] = self._write_tensors("training", checkpoint.step, checkpoint.training)
            if checkpoint.best:
                files["best"] = self._write_tensors("best", checkpoint.best_step, checkpoint.best)
            index = {
                "format": FORMAT,
                "belongs_to": dict(checkpoint.belongs_to),
                "step": checkpoint.step,
                "best_step": checkpoint.best_step,
                "state": dict(checkpoint.state),
                "files": {part: {"name": name, "sha256": self._hashes[name]} for part, name in files.items()},
            }
            with _whole_file(self.path / INDEX) as partial:
                partial.write_text(json.dumps(index, indent=1), encoding="utf-8")
            self._remove_all_but({INDEX, *files.values()})
        except OSError as error:
            raise StorageError(
                f"The checkpoint in {self.path} could not be written: {error.strerror or error}.",
                hint="Free some disk space or name another run folder; the checkpoint before is untouched.",
            ) from error
        return self.path / INDEX

    def load(self, belongs_to: Mapping[str, str]) -> Checkpoint | None:
        """Read the checkpoint; None where there is none yet.

        Raises:
            TrainingError: It is whole, but belongs to another training.
            ArtifactError: It is torn: a file is missing, cut short or altered.
        """
        try:
            index = json.loads((self.path / INDEX).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._torn(f"{INDEX} cannot be read: {error}") from error
        if not isinstance(index, dict) or index.get("format") != FORMAT:
            raise self._torn(f"{INDEX} is not of format {FORMAT}")
        try:
            self._refuse_foreign(index["belongs_to"], belongs_to)
            parts = {part: self._read_tensors(**file) for part, file in index["files"].items()}
            return Checkpoint(
                index["belongs_to"], index["state"], index["step"], best_step=index["best_step"], **parts
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise self._torn(f"{INDEX} lacks a part or has one too many: {error}") from error

    def keep(self, name: str, step: int, tensors: Tensors) -> Path:
        """Write tensors without a checkpoint that goes on from them; for what a failed run leaves."""
        self.path.mkdir(parents=True, exist_ok=True)
        return self.path / self._write_tensors(name, step, tensors)

    def _write_tensors(self, part: str, step: int, tensors: Tensors) -> str:
        name = f"{part}-{step:09d}.safetensors"
        if name in self._hashes and (self.path / name).exists():
            return name
        with _whole_file(self.path / name) as partial:
            # Clones, because safetensors refuses tensors that share memory, as tied weights do.
            save_file(
                {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}, partial
            )
            self._hashes[name] = _sha256(partial)
        return name

    def _read_tensors(self, name: str, sha256: str) -> Tensors:
        path = self.path / name
        if Path(name).name != name:
            raise self._torn(f"{name!r} is not the name of a file in the folder")
        try:
            if _sha256(path) != sha256:
                raise self._torn(f"{name} is not what was written: its sha256 differs")
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            raise self._torn(f"{name} cannot be read: {error}") from error
        self._hashes[name] = sha256
        # The file's tensors lie unaligned in one block; sums over them could differ in the last bit.
        return {key: value.clone() for key, value in tensors.items()}

    def _refuse_foreign(self, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        different = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
        if different:
            changes = "; ".join(f"{k} was {found.get(k)}, is {wanted.get(k)}" for k in different)
            raise TrainingError(
                f"The checkpoint in {self.path} belongs to another training: {changes}.",
                hint=f"Name another run folder, or remove {self.path} to start anew.",
            )

    def _remove_all_but(self, names: set[str]) -> None:
        for path in self.path.iterdir():
            if path.name not in names and path.name.endswith((".safetensors", PARTIAL)):
                path.unlink(missing_ok=True)
                self._hashes.pop(path.name, None)

    def _torn(self, what: str) -> ArtifactError:
        self._hashes.clear()
        return ArtifactError(
            f"The checkpoint in {self.path} is torn: {what}.", hint=f"Remove {self.path} to start anew."
        )


@contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """Hand out a name to write to; the file appears under `path` at once and on the disk, or not at all."""
    partial = path.with_name(path.name + PARTIAL)
    yield partial
    _flush(partial, os.O_RDWR)
    partial.replace(path)
    if os.name == "posix":
        _flush(path.parent, os.O_RDONLY)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
