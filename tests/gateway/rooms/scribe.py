"""A tiny language model made on the spot: seeded weights, a byte-level tokenizer learned from a few sentences."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from servery.models.language_model import language_model
from servery.models.language_tokenizer import LanguageTokenizer
from servery.models.predictor import Predictor
from servery.models.runtimes.causal_language import built_network

SENTENCES = [
    "Once upon a time there was a small server that answered every question it was asked.",
    "The quick brown fox jumps over the lazy dog, and the dog does not mind.",
    "Models, served: from your data to a governed production API.",
    "早上好，今天天气很好。我们去公园散步吧。",
    "¿Dónde está la biblioteca? Là-bas, près du café.",
]
MARKS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('Unknown role ' + message['role']) }}{% endif %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ARGUMENTS: dict[str, Any] = {
    "hidden_size": 64,
    "inner_size": 160,
    "num_layers": 2,
    "heads": 4,
    "key_value_heads": 2,
    "head_size": 16,
    "context_tokens": 512,
    "norm_epsilon": 1e-5,
    "rope_theta": 10_000.0,
    "rope_scaling": None,
    "is_tied": True,
    "input_bias": False,
    "output_bias": False,
}


def scribes_tokenizer() -> LanguageTokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = [*MARKS.values(), "<|system|>", "<|user|>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in names],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    start = MARKS["bos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A", pair=f"{start} $A $B", special_tokens=[(start, 0)]
    )
    return LanguageTokenizer(tokenizer, MARKS, TEMPLATE)


def scribe(seed: int = 7, **changes: Any) -> Predictor:
    """The model; its weights are large enough that its texts vary and its choices are clear."""
    tokenizer = scribes_tokenizer()
    torch.manual_seed(seed)
    network = built_network({"vocabulary_size": tokenizer.size, **ARGUMENTS, **changes})
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8.0)
    end = tokenizer.number("eos_token")
    assert end is not None
    return language_model(network, tokenizer, [end])
