"""Networks that write, in torch, as they were trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from servery.errors import ArtifactError, UnknownNameError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime
from servery.models.writing import write
from servery.nn.network import build_network
from servery.nn.sequence_to_sequence import SequenceToSequence, State

WEIGHTS, PIECES = "weights.safetensors", "pieces.json"


class TorchTranslator(Runtime):
    """A network that writes, in evaluation mode on the CPU.

    Args:
        network: The trained network.
        pieces: What each token stands for.
        max_tokens: Most tokens of one sentence.
    """

    name = "torch_translator"

    def __init__(self, network: SequenceToSequence, pieces: Sequence[str], max_tokens: int) -> None:
        self.network = network.cpu().eval()
        self.pieces = list(pieces)
        self.max_tokens = max_tokens

    def run(self, batch: Batch) -> np.ndarray:
        """Return what was written for each text, objects, (rows,)."""
        return write(TorchReader(self.network), batch, self.pieces, self.max_tokens)

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors` and `pieces.json`."""
        weights = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        (folder / PIECES).write_text(json.dumps(self.pieces, ensure_ascii=False), encoding="utf-8")

    def options(self) -> dict[str, Any]:
        """Return what the network is called, how it was built, and the longest sentence."""
        return {
            "network": self.network.name,
            "arguments": self.network.arguments,
            "max_tokens": self.max_tokens,
        }

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> TorchTranslator:
        """Build the network and read its weights; sets the threads of torch in this process.

        Raises:
            ArtifactError: A file is torn, or does not fit the network.
        """
        torch.set_num_threads(threads)
        try:
            network = build_network(options["network"], options["arguments"])
            if not isinstance(network, SequenceToSequence):
                raise TypeError(f"{network.name} does not write")
            network.load_state_dict(load_file(folder / WEIGHTS))
            pieces = json.loads((folder / PIECES).read_text(encoding="utf-8"))
            return cls(network, [str(piece) for piece in pieces], int(options["max_tokens"]))
        except (
            *(OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, UnknownNameError),
        ) as error:
            raise ArtifactError(f"The network in {folder.name} cannot be read: {error}.") from error


class TorchReader:
    """A network as something that reads and then writes."""

    def __init__(self, network: SequenceToSequence) -> None:
        self.network = network

    def begin(self, tokens: np.ndarray, copies: int) -> TorchSteps:
        """Return steps over each sentence so many times, side by side."""
        with torch.inference_mode():
            device = next(self.network.parameters()).device
            read, state = self.network.begin(torch.from_numpy(tokens).to(device))
            return TorchSteps(self.network, *(_repeated(part, copies) for part in (read, state)))


class TorchSteps:
    """Rows that are being written by a network in torch."""

    def __init__(self, network: SequenceToSequence, read: State, state: State) -> None:
        self.network, self.read, self.state = network, read, state

    def step(self, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log-probabilities and looks."""
        with torch.inference_mode():
            device = next(self.network.parameters()).device
            logits, looks, self.state = self.network.step(
                torch.from_numpy(said).to(device), self.read, self.state
            )
            return logits.float().log_softmax(dim=1).cpu().numpy(), looks.float().cpu().numpy()

    def keep(self, rows: np.ndarray) -> None:
        """Go on with these rows."""
        with torch.inference_mode():
            chosen = torch.from_numpy(rows)
            if len(rows) != len(next(iter(self.state.values()))):
                self.read = {name: tensor[chosen.to(tensor.device)] for name, tensor in self.read.items()}
            self.state = {name: tensor[chosen.to(tensor.device)] for name, tensor in self.state.items()}


def _repeated(tensors: State, copies: int) -> State:
    return {name: tensor.repeat_interleave(copies, dim=0) for name, tensor in tensors.items()}


RUNTIME = TorchTranslator
