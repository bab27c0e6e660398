"""The pointer-generator: steps say what training says, chances sum to 1, and what was never learned can be copied."""

import pytest
import torch

from servery.nn.network import build_network
from servery.nn.networks.pointer_generator import PointerGenerator

SIZES = {"vocabulary_size": 30, "embedding_size": 8, "hidden_size": 12}


@pytest.fixture
def network() -> PointerGenerator:
    torch.manual_seed(0)
    noise = {"token_dropout": 0.0, "embedding_dropout": 0.0, "dropout": 0.0}
    built = build_network("pointer_generator", {**SIZES, **noise})
    assert isinstance(built, PointerGenerator)
    return built.eval()


TOKENS = torch.tensor([[5, 6, 7, 6, 3], [9, 8, 3, 0, 0]])
SAID = torch.tensor([[2, 5, 6], [2, 11, 4]])


def test_a_step_says_what_training_says_and_chances_and_looks_sum_to_one(network: PointerGenerator) -> None:
    with torch.no_grad():
        chances, repeated = network.with_repetition(TOKENS, SAID)
        read, state = network.begin(TOKENS)
        covered = torch.zeros(2, 5)
        for place in range(3):
            found, looks, state = network.step(SAID[:, place], read, state)
            assert torch.allclose(found, chances[:, place], atol=1e-5)
            assert torch.allclose(found.exp().sum(1), torch.ones(2), atol=1e-4)
            assert torch.allclose(looks.sum(1), torch.ones(2), atol=1e-5)
            assert torch.allclose(repeated[:, place], torch.minimum(looks, covered).sum(1), atol=1e-5)
            covered += looks
            assert torch.allclose(state["covered"], covered, atol=1e-5)
    assert not looks[1, 3:].any(), "padding is not looked at"
    assert (repeated[:, 0] == 0).all()


def test_a_network_that_only_copies_says_what_it_read(network: PointerGenerator) -> None:
    with torch.no_grad():
        network.writes.weight.zero_()
        network.writes.bias.fill_(-50.0)
        chances = network(TOKENS, SAID).exp()
    said = [set(torch.nonzero(row[0] > 1e-6).flatten().tolist()) for row in chances]
    assert said == [{3, 5, 6, 7}, {3, 8, 9}]


def test_padding_changes_nothing(network: PointerGenerator) -> None:
    with torch.no_grad():
        alone, among = network(TOKENS[1:, :3], SAID[1:]), network(TOKENS, SAID)[1:]
    assert torch.allclose(alone, among, atol=1e-5)
