"""Networks in torch, as they were trained; the one runtime that imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from servery.errors import ArtifactError, UnknownNameError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime
from servery.nn.network import Network, build_network

FILE = "weights.safetensors"


class TorchNetwork(Runtime):
    """A network in evaluation mode on the CPU.

    Args:
        network: The trained network.
    """

    name = "torch_network"

    def __init__(self, network: Network) -> None:
        self.network = network.cpu().eval()

    def run(self, batch: Batch) -> np.ndarray:
        """Return the outputs, float32, (rows, ...)."""
        with torch.inference_mode():
            inputs = {name: torch.from_numpy(array) for name, array in batch.items()}
            return self.network(**inputs).float().numpy()  # type: ignore[no-any-return]

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors`."""
        weights = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(weights, folder / FILE)

    def options(self) -> dict[str, Any]:
        """Return what the network is called and how it was built."""
        return {"network": self.network.name, "arguments": self.network.arguments}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> TorchNetwork:
        """Build the network and read its weights; sets the threads of torch in this process.

        Raises:
            ArtifactError: The weights are torn, or do not fit the network.
        """
        torch.set_num_threads(threads)
        try:
            network = build_network(options["network"], options["arguments"])
            network.load_state_dict(load_file(folder / FILE))
        except (OSError, SafetensorError, KeyError, TypeError, RuntimeError, UnknownNameError) as error:
            raise ArtifactError(f"The network in {folder.name} cannot be read: {error}.") from error
        return cls(network)


RUNTIME = TorchNetwork
