"""The picture MLP: every pixel to every hidden unit, for instance 784-128-10."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from servery.nn.network import Network
from servery.nn.normalising import NormalisePixels


class PictureMlp(Network):
    """Pixels side by side, hidden layers, a linear layer.

    Source: LeCun et al. (1998), Gradient-based learning applied to document recognition, section III-C.5.

    Args:
        channels: 1 for grey, 3 for colour.
        height: Pixels.
        width: Pixels.
        means: Mean of each channel, from 0 to 255.
        deviations: Deviation of each channel.
        hidden_sizes: Widths of the hidden layers.
        labels: Number of labels.
        dropout: Share of hidden numbers left out in training.
    """

    name = "picture_mlp"
    axes = {"pixels": ("rows",)}

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        means: Sequence[float],
        deviations: Sequence[float],
        hidden_sizes: Sequence[int],
        labels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.normalise = NormalisePixels(means, deviations)
        layers: list[nn.Module] = []
        size = channels * height * width
        for hidden_size in hidden_sizes:
            layers += [nn.Linear(size, hidden_size), nn.ReLU(), nn.Dropout(dropout)]
            size = hidden_size
        self.layers = nn.Sequential(*layers, nn.Linear(size, labels))

    def forward(self, pixels: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits, (rows, labels).

        Args:
            pixels: 0 to 255, (rows, channels, height, width).
        """
        return self.layers(self.normalise(pixels).flatten(1))  # type: ignore[no-any-return]
