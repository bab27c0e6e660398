"""Muon: steps of equal size in every direction for matrices, AdamW for all else, and a state that can be kept."""

from __future__ import annotations

import torch
from torch import nn

from servery.training.muon import Muon, matrices, orthogonal
from servery.training.optimizers import build_optimizer, optimizer_tensors, restore_optimizer
from servery.training.options import Options


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 12), nn.Tanh(), nn.LSTM(12, 6), nn.Linear(6, 9))


def test_all_singular_values_become_about_one() -> None:
    torch.manual_seed(0)
    for shape in ((24, 12), (12, 24), (16, 16)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert float(values.min()) > 0.5
        assert float(values.max()) < 1.4


def test_embeddings_the_last_layer_and_biases_are_left_to_adam() -> None:
    made = network()
    names = {name for name, weight in made.named_parameters() if weight in matrices(made)}
    assert names == {"1.weight", "3.weight_ih_l0", "3.weight_hh_l0"}


def test_it_learns_and_goes_on_as_if_it_had_not_been_stopped() -> None:
    options = Options(optimizer="muon", learning_rate=0.02, weight_decay=0.01)
    torch.manual_seed(0)
    inputs = torch.randn(64, 8)
    wanted = inputs[:, :3] * inputs[:, 3:6].sign()

    def steps(made: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> list[float]:
        losses = []
        for _ in range(count):
            optimizer.zero_grad()
            loss = (made(inputs) - wanted).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        return losses

    def fresh() -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))

    whole = fresh()
    optimizer = build_optimizer(whole, options)
    assert isinstance(optimizer, Muon)
    losses = steps(whole, optimizer, 40)
    assert losses[-1] < 0.6 * losses[0]

    halves = fresh()
    first = build_optimizer(halves, options)
    steps(halves, first, 20)
    again = build_optimizer(halves, options)
    restore_optimizer(again, optimizer_tensors(first))
    steps(halves, again, 20)
    for one, other in zip(whole.parameters(), halves.parameters(), strict=True):
        assert torch.equal(one, other)
