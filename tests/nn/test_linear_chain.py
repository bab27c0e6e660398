"""The loss of a chain of tags, against the sum over every chain and against the numpy twin that serves."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from servery.nn.linear_chain import chain_loss
from servery.tasks._chains import Chains

LENGTHS = torch.tensor([3, 1, 0])


@pytest.fixture
def chains():
    generator = torch.Generator().manual_seed(0)
    emissions = torch.randn(3, 4, 3, generator=generator, dtype=torch.float64)
    transitions = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    tags = torch.randint(0, 3, (3, 4), generator=generator)
    return emissions, transitions, tags, torch.arange(4) < LENGTHS[:, None]


def test_the_loss_is_the_surprise_among_every_chain_and_padding_counts_nothing(chains):
    emissions, transitions, tags, is_word = chains
    losses = chain_loss(emissions, transitions, tags, is_word)
    for row, length in enumerate(LENGTHS.tolist()):

        def potential(chain, row=row):
            passed = sum(transitions[a, b] for a, b in itertools.pairwise(chain))
            return float(sum(emissions[row, place, tag] for place, tag in enumerate(chain)) + passed)

        every = [potential(chain) for chain in itertools.product(range(3), repeat=length)]
        expected = np.log(np.exp(every).sum()) - potential(tags[row, :length].tolist())
        assert losses[row].item() == pytest.approx(expected)
    changed = emissions.clone()
    changed[~is_word] = 99.0
    assert torch.equal(chain_loss(changed, transitions, tags, is_word), losses)


def test_without_transitions_it_is_the_sum_of_cross_entropies(chains):
    emissions, transitions, tags, is_word = chains
    losses = chain_loss(emissions, torch.zeros_like(transitions), tags, is_word)
    expected = functional.cross_entropy(emissions[is_word], tags[is_word], reduction="sum")
    assert losses.sum().item() == pytest.approx(expected.item())


def test_the_numpy_twin_agrees_where_every_chain_is_allowed(chains):
    emissions, transitions, tags, is_word = chains
    tags = torch.where(is_word, tags, 0).clamp(max=1)  # a first tag may not go on with a span
    allowed = transitions.clone()
    allowed[0, 2] = -1e9
    starting = emissions.clone()
    starting[:, 0, 2] = -1e9
    losses = chain_loss(starting, allowed, tags, is_word)
    twin = Chains(
        np.arange(3), np.zeros((3, 4, 2), np.int64), LENGTHS.numpy(), emissions.numpy(), allowed.numpy()
    )
    assert twin.loss(tags.numpy()) == pytest.approx(losses.sum().item())


def test_it_stays_finite_for_extreme_potentials(chains):
    emissions, transitions, tags, is_word = chains
    losses = chain_loss(emissions * 1e4, transitions * 1e4, tags, is_word)
    assert torch.isfinite(losses).all()
    assert (losses >= -1e-6).all()
