"""What every network promises: a row's logits depend on that row alone."""

from typing import Any

import pytest
import torch

from servery.discovery import module_names
from servery.errors import UnknownNameError
from servery.nn.network import Network, build_network
from servery.nn.networks.denoising_unet import DenoisingUnet
from servery.nn.networks.picture_vae import PictureVae

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
    "centre_detector": {
        **{name: value for name, value in PICTURE.items() if name != "dropout"},
        "widths": [16, 32, 32],
        "depth": 2,
        "neck": 8,
    },
    "table_mlp": {
        "numbers": 4,
        "category_counts": [3, 9],
        "largest_embedding": 4,
        "hidden_sizes": [8],
        "labels": 3,
        "dropout": 0.1,
    },
    "deep_ensemble": {
        "members": 3,
        "numbers": 4,
        "category_counts": [3, 9],
        "largest_embedding": 4,
        "hidden_sizes": [8],
        "dropout": 0.1,
        "output_scale": 2.0,
        "output_mean": 1.0,
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
    "recurrent_decoder": {
        "vocabulary_size": 50,
        "embedding_size": 8,
        "hidden_size": 12,
        "num_layers": 2,
        "cell": "lstm",
        "dropout": 0.1,
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
ARGUMENTS |= {
    "recurrent_translator": {
        "vocabulary_size": 50,
        "written_size": 40,
        "embedding_size": 8,
        "hidden_size": 8,
        "num_layers": 2,
        "has_attention": True,
        **NOISE,
    },
    "pointer_generator": {"vocabulary_size": 50, "embedding_size": 8, "hidden_size": 8, **NOISE},
    "transformer_translator": {
        "vocabulary_size": 50,
        "written_size": 40,
        "embedding_size": 8,
        "inner_size": 16,
        "heads": 2,
        "num_layers": 2,
        "max_tokens": 30,
        **NOISE,
    },
}
SPEECH = {"means": [1.0] * 8, "deviations": [2.0] * 8, "labels": 3, "is_sequence": False, "dropout": 0.1}
ARGUMENTS |= {
    "speech_dnn": {**SPEECH, "splice": 2, "hidden_sizes": [8, 8]},
    "speech_cnn": {**SPEECH, "widths": [4, 4], "hidden_size": 8, "context": 1},
    "speech_rnn": {
        **SPEECH,
        "splice": 1,
        "cell": "gru",
        "hidden_size": 8,
        "num_layers": 2,
        "both_directions": True,
    },
}
MARKED = {
    "features": {
        "counts": dict.fromkeys(("words", "shapes", "affixes", "symbols"), 50),
        **dict.fromkeys(("word_size", "shape_size", "affix_size", "character_filters"), 4),
        "word_dropout": 0.1,
        "dropout": 0.1,
    },
    "distances": 62,
    "distance_size": 3,
    "labels": 3,
    "dropout": 0.1,
}
ARGUMENTS |= {
    "relation_cnn": {**MARKED, "widths": [1, 2, 3], "filters": 4},
    "relation_recurrent": {**MARKED, "cell": "lstm", "has_attention": True, "hidden_size": 4},
    "encoder_classifier": {"encoder": ARGUMENTS["bert_encoder"], "labels": 3, "dropout": 0.1},
    "encoder_relation": {"encoder": ARGUMENTS["bert_encoder"], "labels": 3, "dropout": 0.1},
    "triple_embedding": {
        "model": "complex",
        "entities": 9,
        "relations": 3,
        "size": 8,
        "deviation": 0.3,
        "entity_dropout": 0.1,
        "relation_dropout": 0.1,
    },
}
ARGUMENTS |= {
    "denoising_unet": {
        "channels": 4,
        "categories": 4,
        "patch": 2,
        "widths": [8, 16],
        "depth": 2,
        "heads": 2,
        "dropout": 0.1,
    },
    "command_reader": {
        **FEATURES,
        "body": "lstm",
        "decisions": 4,
        "labels": 3,
        "hidden_size": 8,
        "num_layers": 1,
        "embedding_dropout": 0.1,
        "dropout": 0.1,
        "max_words": 30,
    },
    "history_recommender": {
        "model": "self_attention",
        "items": 12,
        "size": 8,
        "hidden": 8,
        "heads": 2,
        "blocks": 1,
        "length": 11,
        "dropout": 0.1,
    },
    "series_forecaster": {
        "body": "tcn",
        "width": 3,
        "context": 2,
        "steps": 4,
        "hidden_size": 8,
        "num_layers": 2,
        "dropout": 0.1,
        "mean": 1.0,
        "scale": 2.0,
    },
    "graph_forecaster": {
        "width": 3,
        "past": 7,
        "context": 2,
        "steps": 4,
        "given": [[0.5, 0.5], [0.1, 0.9]],
        "learns_graph": True,
        "count": 2,
        "hidden_size": 8,
        "graph_size": 4,
        "dropout": 0.1,
        "scale": 2.0,
    },
    "track_forecaster": {
        "steps": 4,
        "horizon": 3,
        "hidden_size": 8,
        "has_neighbours": True,
        "heads": 2,
        "modes": 2,
        "scale": 0.5,
        "fastest": 9.0,
        "dropout": 0.1,
    },
    "picture_vae": {
        "channels": 4,
        "height": 8,
        "width": 8,
        "categories": 5,
        "latent": 6,
        "widths": [8, 16],
    },
}
ROWS = 5
WIDTHS = {
    "deep_ensemble": 2,
    "denoising_unet": 8,
    "picture_vae": 8,
    "recurrent_translator": 40,
    "pointer_generator": 50,
    "transformer_translator": 40,
    "triple_embedding": 9,
    "word_tagger": 9,
    "command_reader": 9,
    "history_recommender": 12,
    "series_forecaster": 2,
    "graph_forecaster": 2,
    "track_forecaster": 7,
    "encoder_tagger": 9,
    "bert_encoder": 9,
    "causal_decoder": 50,
    "recurrent_decoder": 50,
    "centre_detector": 7,
}
"""Numbers a row puts out, where it is not three labels; a causal decoder does so for each of its tokens."""


def inputs_for(network: Network) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    if "items" in network.axes:
        items = torch.randint(0, 12, (ROWS, 11))
        for row in range(ROWS):
            items[row, : 10 - 2 * row] = -1
        return {"items": items}
    if "series" in network.axes:
        around = {"stations": torch.randn(ROWS, 2, 7, 2), "own": torch.eye(2).repeat(3, 1)[:ROWS]}
        return {
            "series": torch.randn(ROWS, 7, 3),
            "context": torch.randn(ROWS, 2),
            "level": torch.randn(ROWS, 1),
            **(around if "stations" in network.axes else {}),
        }
    if "positions" in network.axes:
        steps = torch.randn(ROWS, 3, 4, 2)
        return {"positions": steps.cumsum(dim=2), "seen": torch.ones(ROWS, 3, 4)}
    if "subjects" in network.axes:
        return {"subjects": torch.arange(ROWS), "relations": torch.arange(ROWS) % 6}
    if "noisy" in network.axes:
        return {"noisy": torch.randn(ROWS, 4, 8, 8), "time": torch.rand(ROWS), "category": torch.arange(ROWS)}
    if "noise" in network.axes:
        return {"thing": torch.arange(ROWS), "noise": torch.randn(ROWS, 6)}
    if "words" in network.axes:
        return _tagged_words(network)
    if "bands" in network.axes:
        lengths = torch.arange(1, 2 * ROWS, 2).unsqueeze(1)
        ends = torch.arange(1, 12) * 0.01 * (torch.arange(11) < lengths)
        return {"bands": torch.randn(ROWS, 11, 8), "ends": ends}
    if "tokens" in network.axes:
        tokens = torch.randint(1, 50, (ROWS, 11))
        for row in range(ROWS):
            tokens[row, 2 * row + 1 :] = 0
        if "roles" in network.axes:
            return {"tokens": tokens, "roles": tokens % 3, "is_token": (tokens > 0).long()}
        if "parts" in network.axes:
            is_token = (tokens > 0).long()
            return {"tokens": tokens, "parts": tokens % 2, "is_token": is_token}
        return {"tokens": tokens, "said": tokens.flip(0)} if "said" in network.axes else {"tokens": tokens}
    if "pixels" in network.axes:
        pixels = torch.randint(0, 256, (ROWS, 3, 9, 7), dtype=torch.uint8)
        frames = torch.tensor([14.0, 18.0, 7.0, 9.0]).repeat(ROWS, 1)
        return {"pixels": pixels, "frames": frames} if "frames" in network.axes else {"pixels": pixels}
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
    if "head_distance" in network.axes:
        head = (torch.arange(11) + 31) * is_word
        inputs |= {"head_distance": head, "tail_distance": (head - 1) * is_word}
        del inputs["places"]
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
        if {"tokens", "words", "bands"} & alone.keys():
            alone = {key: value[:, : 2 * row + 1] for key, value in alone.items()}
        found = network(**alone)
        expected = together[row : row + 1]
        if expected.ndim == 3:
            expected = expected[:, : found.shape[1]]
        assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_every_weight_learns(name: str) -> None:
    network = built(name).train()
    # The zeros that residual blocks and last layers begin with pass nothing on before their first step.
    for _ in range(4 if name == "denoising_unet" else 2):
        network.zero_grad()
        _all_of(network).square().sum().backward()
        with torch.no_grad():
            for parameter in network.parameters():
                assert parameter.grad is not None
                parameter -= 1e-3 * parameter.grad
    gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
    assert [key for key, gradient in gradients.items() if gradient is None or not gradient.any()] == []


def _all_of(network: Network) -> torch.Tensor:
    """Return what a network puts out, on the way that it only learns by too; zeros would have no gradient."""
    outputs = network(**inputs_for(network))
    if isinstance(network, PictureVae):
        told = network.encode(torch.rand(ROWS, 4, 8, 8), torch.arange(ROWS))
        return torch.cat([outputs.flatten(), *(part.flatten() for part in told)])
    return outputs - 0.5 if isinstance(network, DenoisingUnet) else outputs


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_it_is_built_again_from_what_it_notes(name: str) -> None:
    network = built(name)
    again = build_network(network.name, network.arguments).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(**inputs_for(network)), network(**inputs_for(network)))


def test_an_unknown_network_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="text_cnn"):
        build_network("text_cn", {})
