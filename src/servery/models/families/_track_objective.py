"""What a forecaster of tracks minimises: the distance of the best guess, and of the nearest of its modes."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from servery.models.families._ragged_outputs import ragged_outputs
from servery.models.families._track_examples import TrackExamples
from servery.nn.network import Network
from servery.tasks.task import Calibration, LearnableTask

VALIDATION_BATCH = 64
FINAL_WEIGHT = 0.2
"""Of the last step beside the mean of all, metres: the last one is judged by itself too."""
SHARED = 0.05
"""Of the modes' loss: what every mode learns, so that none is left where no track ever is."""
CHANCE_WEIGHT = 0.1
"""Of the modes' chances beside their distances, metres."""


class TrackObjective:
    """Mean distance in metres, the winner among the modes, and how likely it was held.

    Sources: Gupta et al. (2018), Social GAN, section 3.3 (only the best of several tracks learns); Rupprecht et al.
    (2017), Learning in an uncertain world, equation 7 (the others a little too); Cui et al. (2019), Multimodal
    trajectory predictions, equation 5 (the winner is to be held likely).

    Args:
        task: Measures the validation outputs.
        validation: Encoded validation scenes.
    """

    def __init__(self, task: LearnableTask, validation: TrackExamples) -> None:
        self.task = task
        self.primary_metric = task.primary_metric
        self.validation = validation

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        """Return the mean loss of a batch, a scalar."""
        outputs = network(**inputs).float()
        judged, futures = targets["judged"], targets["futures"].unsqueeze(2)
        tracks = outputs[..., 1:].unflatten(3, (-1, 2))  # (rows, agents, 1 + modes, steps, 2)
        # Slightly rounded at the tip, where the root has no slope.
        apart = ((tracks - futures).pow(2).sum(dim=4) + 1e-6).sqrt()
        means, finals = apart.mean(dim=3), apart[..., -1]  # (rows, agents, 1 + modes)
        losses = means[..., 0] + FINAL_WEIGHT * finals[..., 0]
        if outputs.shape[2] > 1:
            far = means[..., 1:] + finals[..., 1:] / 2
            nearest, winner = far.min(dim=2)
            chances = functional.cross_entropy(
                outputs[:, :, 1:, 0].flatten(0, 1), winner.flatten(), reduction="none"
            )
            losses = losses + (1 - SHARED) * nearest + SHARED * far.mean(dim=2)
            losses = losses + CHANCE_WEIGHT * chances.reshape(losses.shape)
        mean: Tensor = (losses * judged).sum() / judged.sum().clamp(min=1)
        return mean

    def validate(self, network: Network) -> dict[str, float]:
        """Return the metrics of the validation part."""
        outputs = ragged_outputs(network, self.validation, VALIDATION_BATCH)
        return self.task.measure(self.validation.tracks, outputs, Calibration())
