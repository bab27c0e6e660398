"""How the Hub names the parts of encoders of the BERT kind, and what they are called here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

_BERT_KEYS = {
    "vocabulary_size": "vocab_size",
    "size": "hidden_size",
    "heads": "num_attention_heads",
    "num_layers": "num_hidden_layers",
    "inner_size": "intermediate_size",
    "max_tokens": "max_position_embeddings",
    "parts": "type_vocab_size",
    "epsilon": "layer_norm_eps",
}
_EMBEDDINGS = {
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "places",
    "embeddings.token_type_embeddings": "parts",
    "embeddings.LayerNorm": "norm",
    "pooler.dense": "summary",
    "classifier": "score",
}
_BERT_BLOCK = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "mixed",
    "attention.output.LayerNorm": "mixed_norm",
    "intermediate.dense": "inner",
    "output.dense": "outer",
    "output.LayerNorm": "outer_norm",
}


@dataclass(frozen=True)
class Layout:
    """One kind of encoder in the Hugging Face layout.

    Attributes:
        prefix: What the names of its weights begin with in models with a head.
        keys: Arguments of `nn.networks.bert_encoder` to the names in `config.json`.
        fixed: Arguments that its `config.json` does not tell.
        activation: Name of the activation in `config.json`.
        layers: What stands before a block's number.
        block: Names within a block to ours.
        skips_places: Whether the first places, up to that of padding, are never used.
    """

    prefix: str
    keys: Mapping[str, str]
    fixed: Mapping[str, Any]
    activation: str
    layers: str
    block: Mapping[str, str]
    skips_places: bool = False

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the network is built with, but for its pooling.

        Raises:
            KeyError: The description lacks something.
        """
        arguments = {ours: config[theirs] for ours, theirs in self.keys.items()} | dict(self.fixed)
        arguments["max_tokens"] -= self._unused_places(config)
        return arguments

    def weights(
        self, found: Mapping[str, torch.Tensor], config: Mapping[str, Any]
    ) -> dict[str, torch.Tensor]:
        """Return the weights under our names; what has none is left out."""
        named = {}
        for name, tensor in found.items():
            module, _, kind = name.removeprefix(self.prefix).rpartition(".")
            if module in _EMBEDDINGS:
                named[f"{_EMBEDDINGS[module]}.{kind}"] = tensor
            elif module.startswith(self.layers):
                number, _, within = module.removeprefix(self.layers).partition(".")
                named[f"blocks.{number}.{self.block[within]}.{kind}"] = tensor
        if "places.weight" in named:
            named["places.weight"] = named["places.weight"][self._unused_places(config) :]
        if "parts" in self.fixed and "words.weight" in named:  # a kind that does not tell texts apart
            named["parts.weight"] = torch.zeros(self.fixed["parts"], named["words.weight"].shape[1])
        return named

    def _unused_places(self, config: Mapping[str, Any]) -> int:
        return int(config["pad_token_id"]) + 1 if self.skips_places else 0


_ROBERTA = Layout("roberta.", _BERT_KEYS, {}, "hidden_act", "encoder.layer.", _BERT_BLOCK, skips_places=True)
LAYOUTS: Mapping[str, Layout] = {
    "bert": Layout("bert.", _BERT_KEYS, {}, "hidden_act", "encoder.layer.", _BERT_BLOCK),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": Layout(
        "distilbert.",
        {
            "vocabulary_size": "vocab_size",
            "size": "dim",
            "heads": "n_heads",
            "num_layers": "n_layers",
            "inner_size": "hidden_dim",
            "max_tokens": "max_position_embeddings",
        },
        {"parts": 2, "epsilon": 1e-12},
        "activation",
        "transformer.layer.",
        {
            "attention.q_lin": "query",
            "attention.k_lin": "key",
            "attention.v_lin": "value",
            "attention.out_lin": "mixed",
            "sa_layer_norm": "mixed_norm",
            "ffn.lin1": "inner",
            "ffn.lin2": "outer",
            "output_layer_norm": "outer_norm",
        },
    ),
}
"""By `model_type`. Sources: Devlin et al. (2019); Liu et al. (2019), RoBERTa; Sanh et al. (2019), DistilBERT."""
