"""Tiny hyperparameters of the recipes on pretrained encoders, and a tiny random encoder to put under them."""

import atexit
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from servery.fields._field import find_field

SIZE, INNER, LAYERS, PLACES = 32, 64, 2, 200
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def _tokenizer(texts: list[str]) -> Tokenizer:
    normalizer, splitter = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    words = {w for t in texts for w, _ in splitter.pre_tokenize_str(normalizer.normalize_str(t))}
    known = {word: place for place, word in enumerate([*MARKS, *sorted(words)])}
    made = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizer, splitter
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def _weights(words: int) -> dict[str, torch.Tensor]:
    """Random weights under the Hub's names."""
    chance = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=chance) * 0.2

    def norm(name: str) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": torch.ones(SIZE), f"{name}.bias": torch.zeros(SIZE)}

    def linear(name: str, out: int, into: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": drawn(out, into), f"{name}.bias": torch.zeros(out)}

    weights = {
        "embeddings.word_embeddings.weight": drawn(words, SIZE),
        "embeddings.position_embeddings.weight": drawn(PLACES, SIZE),
        "embeddings.token_type_embeddings.weight": drawn(2, SIZE),
        **norm("embeddings.LayerNorm"),
    }
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for part in ("attention.self.query", "attention.self.key", "attention.self.value"):
            weights |= linear(f"{layer}.{part}", SIZE, SIZE)
        weights |= linear(f"{layer}.attention.output.dense", SIZE, SIZE)
        weights |= norm(f"{layer}.attention.output.LayerNorm")
        weights |= linear(f"{layer}.intermediate.dense", INNER, SIZE)
        weights |= linear(f"{layer}.output.dense", SIZE, INNER)
        weights |= norm(f"{layer}.output.LayerNorm")
    return weights


def tiny_encoder(texts: list[str]) -> Path:
    """Write a folder as the Hub has them, and return it; it goes when the process ends. It knows the texts' words."""
    folder = Path(tempfile.mkdtemp(prefix="servery-tiny-encoder-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tokenizer = _tokenizer(texts)
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": SIZE,
        "num_attention_heads": 4,
        "num_hidden_layers": LAYERS,
        "intermediate_size": INNER,
        "max_position_embeddings": PLACES,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(_weights(tokenizer.get_vocab_size()), folder / "model.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


REVIEWS = [str(row["text"]) for row in find_field("sentiment-analysis").offers[0].sample(320, 0).examples()]
FOLDER = str(tiny_encoder(REVIEWS))
TINY: dict[str, dict[str, Any]] = {
    "text/encoder-head": {
        "encoder": FOLDER,
        "inverse_penalty": 20.0,
        "max_iterations": 300,
        "precision": "float32",
    },
    "text/encoder-finetune": {
        "encoder": FOLDER,
        "batch_size": 16,
        "patience": 50,
        "learning_rate": 3e-3,
        "dropout": 0.0,
        "train_words": True,
        "precision": "float32",
        "max_iterations": 20,
    },
}
