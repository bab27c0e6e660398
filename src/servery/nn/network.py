"""What every network is: a module that knows how it was built, so that it can be built again."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from servery.discovery import instances
from servery.errors import UnknownNameError


class Network(nn.Module):
    """A network stands in its own file under `nn/networks/`; its arguments are plain JSON types.

    `forward` takes the arrays of an encoder's batch by name and returns logits, float32, (rows, labels). It holds
    everything between the batch and the logits, normalising included, so that an export carries it. What it puts
    out for a row must not depend on the other rows, nor on how far they are padded.
    """

    name: ClassVar[str]
    axes: ClassVar[dict[str, tuple[str, ...]]]
    """Names of the axes that vary, from the first one on, of each input: `{"tokens": ("rows", "length")}`."""

    arguments: dict[str, Any]
    """What the constructor was called with; `build_network` notes it."""

    def parameter_count(self) -> int:
        """Return the number of learned numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, **inputs: Tensor) -> Tensor:
        """Return the logits."""
        raise NotImplementedError


def build_network(name: str, arguments: dict[str, Any]) -> Network:
    """Build a network with fresh weights.

    Raises:
        UnknownNameError: There is none of that name.
    """
    classes: tuple[type, ...] = instances("servery.nn.networks", type)
    # What several networks share has no name of its own.
    known = {c.name: c for c in classes if issubclass(c, Network) and hasattr(c, "name")}
    if name not in known:
        raise UnknownNameError.among("network", name, known)
    network = known[name](**arguments)
    network.arguments = dict(arguments)
    return network
