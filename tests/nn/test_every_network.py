"""What every network promises: a row's logits depend on that row alone."""

from typing import Any

import pytest
import torch

from servery.discovery import module_names
from servery.errors import UnknownNameError
from servery.nn.network import Network, build_network

NOISE = {"token_dropout": 0.1, "embedding_dropout": 0.1, "dropout": 0.1}
TEXT = {"vocabulary_size": 50, "embedding_size": 8, "labels": 3, **NOISE}
PICTURE = {"channels": 3, "means": [9.0] * 3, "deviations": [5.0] * 3, "labels": 3, "dropout": 0.1}
FEATURES = {
    "counts": {"words": 50, "shapes": 50, "affixes": 50, "symbols": 50},
    "word_size": 8,
    "shape_size": 4,
    "affix_size": 4,
    "character_filters": 4,
    "word_dropout": 0.1,
}
BERT = {
    "vocabulary_size": 50,
    "size": 8,
    "heads": 2,
    "num_layers": 2,
    "inner_size": 16,
    "max_tokens": 30,
    "parts": 2,
    "epsilon": 1e-12,
    "pooling": "mean",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "bag_of_tokens": {**TEXT, "hidden_size": 8},
    "recurrent": {**TEXT, "cell": "gru", "hidden_size": 8, "num_layers": 2},
    "text_cnn": {**TEXT, "widths": [1, 2, 3, 4], "filters": 8},
    "text_transformer": {**TEXT, "heads": 2, "num_layers": 2, "max_tokens": 30, "head_dropout": 0.1},
    "picture_mlp": {**PICTURE, "height": 9, "width": 7, "hidden_sizes": [8, 8]},
    "picture_cnn": {**PICTURE, "widths": [16, 32], "depth": 2, "shrink": 4, "block_dropout": 0.1},
    "table_mlp": {
        "numbers": 4,
        "category_counts": [3, 9],
        "largest_embedding": 4,
        "hidden_sizes": [8],
        "labels": 3,
        "dropout": 0.1,
    },
    "bert_encoder": BERT,
    "word_tagger": {
        **FEATURES,
        "body": "lstm",
        "has_transitions": True,
        "labels": 3,
        "hidden_size": 8,
        "num_layers": 2,
        "embedding_dropout": 0.1,
        "dropout": 0.1,
        "max_words": 30,
    },
    "encoder_tagger": {
        "encoder": BERT,
        "layers": [1, -1],
        "tagger": {
            "features": {**FEATURES, "dropout": 0.1},
            "labels": 3,
            "hidden_size": 8,
            "context_dropout": 0.1,
            "dropout": 0.1,
        },
    },
    "causal_decoder": {
        "vocabulary_size": 50,
        "hidden_size": 8,
        "inner_size": 16,
        "num_layers": 2,
        "heads": 4,
        "key_value_heads": 2,
        "head_size": 4,
        "context_tokens": 30,
        "norm_epsilon": 1e-6,
        "rope_theta": 10_000.0,
        "rope_scaling": None,
        "is_tied": False,
        "input_bias": True,
        "output_bias": True,
    },
}
ROWS = 5
WIDTHS = {"word_tagger": 9, "encoder_tagger": 9, "bert_encoder": 9, "causal_decoder": 50}
"""Numbers a row puts out, where it is not three labels; a causal decoder does so for each of its tokens."""


def inputs_for(network: Network) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    if "words" in network.axes:
        return _tagged_words(network)
    if "tokens" in network.axes:
        tokens = torch.randint(1, 50, (ROWS, 11))
        for row in range(ROWS):
            tokens[row, 2 * row + 1 :] = 0
        if "parts" in network.axes:
            is_token = (tokens > 0).long()
            return {"tokens": tokens, "parts": tokens % 2, "is_token": is_token}
        return {"tokens": tokens}
    if "pixels" in network.axes:
        return {"pixels": torch.randint(0, 256, (ROWS, 3, 9, 7), dtype=torch.uint8)}
    return {"numbers": torch.randn(ROWS, 4), "categories": torch.randint(0, 3, (ROWS, 2))}


def _tagged_words(network: Network) -> dict[str, torch.Tensor]:
    words = torch.randint(1, 50, (ROWS, 11))
    for row in range(ROWS):
        words[row, 2 * row + 1 :] = 0
    is_word = (words > 0).long()
    starts = torch.arange(11) * is_word
    inputs = {
        "words": words,
        "shapes": words % 7,
        "affixes": (words.unsqueeze(2) + torch.arange(6)) * is_word.unsqueeze(2) % 50,
        "symbols": (words.unsqueeze(2) + torch.arange(16)) * is_word.unsqueeze(2) % 50,
        "places": torch.stack([starts, starts + is_word], dim=2),
    }
    if "tokens" in network.axes:
        inputs |= {"tokens": words, "parts": words % 2, "is_token": is_word, "firsts": starts}
    return inputs


def built(name: str) -> Network:
    torch.manual_seed(0)
    return build_network(name, ARGUMENTS[name]).eval()


def test_every_network_is_tested_here() -> None:
    assert tuple(sorted(ARGUMENTS)) == module_names("servery.nn.networks")


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_a_row_does_not_feel_its_neighbours_nor_its_padding(name: str) -> None:
    network = built(name)
    inputs = inputs_for(network)
    together = network(**inputs)
    assert (len(together), together.shape[-1]) == (ROWS, WIDTHS.get(name, 3))
    for row in range(ROWS):
        alone = {key: value[row : row + 1] for key, value in inputs.items()}
        if {"tokens", "words"} & alone.keys():
            alone = {key: value[:, : 2 * row + 1] for key, value in alone.items()}
        found = network(**alone)
        expected = together[row : row + 1]
        if expected.ndim == 3:
            expected = expected[:, : found.shape[1]]
        assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_every_weight_learns(name: str) -> None:
    network = built(name).train()
    for _ in range(2):  # the zero gamma of residual blocks passes nothing on before its first step
        network.zero_grad()
        network(**inputs_for(network)).square().sum().backward()
        with torch.no_grad():
            for parameter in network.parameters():
                assert parameter.grad is not None
                parameter -= 1e-3 * parameter.grad
    gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
    assert [key for key, gradient in gradients.items() if gradient is None or not gradient.any()] == []


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_it_is_built_again_from_what_it_notes(name: str) -> None:
    network = built(name)
    again = build_network(network.name, network.arguments).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(**inputs_for(network)), network(**inputs_for(network)))


def test_an_unknown_network_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="text_cnn"):
        build_network("text_cn", {})
