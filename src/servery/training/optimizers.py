"""Optimizers by name, with weight decay where it belongs."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from servery.errors import TrainingError
from servery.training.muon import Muon, matrices
from servery.training.options import Options


def build_optimizer(network: nn.Module, options: Options) -> Optimizer:
    """Return the optimizer of the network's trainable weights.

    Biases and norms, which have one dimension, are not decayed.

    Source: Loshchilov, Hutter (2019), Decoupled Weight Decay; He et al. (2019), Bag of Tricks for Image
    Classification, section 3.1 (no decay of biases and norms).

    Raises:
        TrainingError: Nothing in the network can be trained.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if not weights:
        raise TrainingError("The network has no weight that can be trained; every one has requires_grad off.")
    if options.optimizer == "muon":
        return _muon(network, weights, options)
    decayed = [w for w in weights if w.dim() > 1]
    others = [w for w in weights if w.dim() <= 1]
    # Each group costs the step a pass of its own, so without decay there is but one.
    if options.weight_decay == 0.0:
        decayed, others = [], weights
    groups = [
        {"params": group, "weight_decay": decay}
        for group, decay in ((decayed, options.weight_decay), (others, 0.0))
        if group
    ]
    is_fused = all(w.is_floating_point() and w.device.type in ("cpu", "cuda") for w in weights)
    if options.optimizer == "sgd":
        return SGD(groups, lr=options.learning_rate, momentum=options.momentum, fused=is_fused)
    kind = AdamW if options.optimizer == "adamw" else Adam
    return kind(groups, lr=options.learning_rate, fused=is_fused)


def _muon(network: nn.Module, weights: list[nn.Parameter], options: Options) -> Muon:
    hidden = matrices(network)
    groups = (
        ([w for w in weights if w in hidden], True, options.weight_decay),
        ([w for w in weights if w not in hidden and w.dim() > 1], False, options.weight_decay),
        ([w for w in weights if w.dim() <= 1], False, 0.0),
    )
    return Muon(
        [
            {"params": group, "is_matrix": is_matrix, "weight_decay": decay}
            for group, is_matrix, decay in groups
            if group
        ],
        options.learning_rate,
    )


def optimizer_tensors(optimizer: Optimizer) -> dict[str, torch.Tensor]:
    """Return what the optimizer remembers, by "<number of the weight>/<name>"."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}/{name}": value
        for number, memory in state.items()
        for name, value in memory.items()
        if isinstance(value, torch.Tensor)
    }


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Put back what `optimizer_tensors` returned; learning rates are the schedule's and stay as they are."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split("/", 1)
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
