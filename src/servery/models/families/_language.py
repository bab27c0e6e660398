"""What the recipes of language models have in common: tokens, running text cut into windows, and what is watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn import functional

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.metrics.likelihood import likelihood
from servery.models.encoders.language import Language
from servery.models.families._assembly import columns_for
from servery.models.language_tokenizer import LanguageTokenizer
from servery.nn.network import Network

TASKS = frozenset({"text-generation"})
END = "<|end|>"
"""The mark between texts: a model ends its own with it, and a text without a prompt begins with it."""
BYTES = 256
VALIDATION_BATCH = 32


@dataclass(frozen=True)
class RunningText:
    """The passages of a part, joined to texts again.

    Attributes:
        tokens: All texts one after the other, a mark behind each, int64, (tokens,).
        characters: Of all passages.
    """

    tokens: np.ndarray
    characters: int


def text_column(dataset: Dataset) -> Column:
    """Return the one column that a language model reads.

    Raises:
        DataError: There are several or none.
    """
    columns = columns_for(dataset, frozenset({Kind.TEXT}))
    if len(columns) > 1:
        names = ", ".join(column.name for column in columns)
        raise DataError(f"A language model reads one column of text; there are {names}.", param="data")
    return columns[0]


def texts_of(dataset: Dataset) -> list[str]:
    """Return the passages of a part joined where one follows the other; what only stands before is not learned."""
    column, target = text_column(dataset).name, dataset.target.name
    texts: list[str] = []
    before = ""
    for whole, passage in zip(dataset[column], dataset[target], strict=True):
        context = (whole or "").removesuffix(passage)
        if texts and context and before.endswith(context):
            texts[-1] += passage
        else:
            texts.append(passage)
        before = passage
    return texts


def learned_tokenizer(texts: list[str], vocabulary_size: int) -> LanguageTokenizer:
    """Learn byte pairs within words; every byte is a token, so that no text is unknown.

    Source: Sennrich, Haddow, Birch (2016), section 3.2; on bytes: Radford et al. (2019), section 2.2.

    Args:
        texts: The training texts.
        vocabulary_size: Most tokens, bytes and mark included; less text gets fewer.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=max(vocabulary_size, BYTES + 1),
        min_frequency=2,
        special_tokens=[AddedToken(END, special=True, normalized=False)],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return LanguageTokenizer(tokenizer, {"bos_token": END, "eos_token": END})


def running_text(texts: list[str], tokenizer: LanguageTokenizer) -> RunningText:
    """Cut texts into tokens."""
    end = tokenizer.number("eos_token")
    numbers = [number for text in texts for number in (*tokenizer.numbers(text), end)]
    return RunningText(np.array(numbers, np.int64), sum(map(len, texts)))


def encoder_for(column: Column, tokenizer: LanguageTokenizer, context_tokens: int) -> Language:
    """Return the encoder of a model with that tokenizer."""
    return Language(column.name, tokenizer, context_tokens)


class Windows:
    """Running text, cut into windows anew in each epoch, from another place on.

    Args:
        tokens: int64, (tokens,).
        window_tokens: Tokens that are read at once.
    """

    def __init__(self, tokens: np.ndarray, window_tokens: int) -> None:
        self.length = min(window_tokens, len(tokens) - 1)
        self._tokens = torch.from_numpy(tokens)
        self._count = max(1, (len(tokens) - 1) // self.length)

    def __len__(self) -> int:
        return self._count

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Return the windows of every batch of one epoch, shuffled."""
        rows = np.random.default_rng([seed, epoch]).permutation(self._count)
        return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return the tokens of windows, (rows, length), and what follows each."""
        shift = int(np.random.default_rng([seed, epoch, 1]).integers(self.length))
        last = len(self._tokens) - 1 - self.length
        starts = torch.from_numpy(np.minimum(rows * self.length + shift, last))
        places = starts[:, None] + torch.arange(self.length + 1)  # (rows, length + 1)
        windows = self._tokens[places]
        return {"tokens": windows[:, :-1]}, windows[:, 1:]


class LanguageObjective:
    """The log loss of the next token; watched is the chance of a character of the validation text.

    Windows of the validation text lie side by side, so that their first tokens have little before them: a model is a
    little better than this, as its report says.

    Args:
        validation: The text.
        window_tokens: Tokens that are read at once.
    """

    primary_metric = "character_chance"

    def __init__(self, validation: RunningText, window_tokens: int) -> None:
        self._windows = Windows(validation.tokens, window_tokens)
        self._per_character = validation.characters / max(len(validation.tokens) - 1, 1)

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the mean loss of a token, a scalar."""
        logits = network(**inputs).float()
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def validate(self, network: Network) -> dict[str, float]:
        """Return chance, nats and bits of a character, and perplexity of a token."""
        device = next(network.parameters()).device
        nats, tokens = 0.0, 0
        with torch.inference_mode():
            for start in range(0, len(self._windows), VALIDATION_BATCH):
                rows = np.arange(start, min(start + VALIDATION_BATCH, len(self._windows)))
                inputs, targets = self._windows.batch(rows, 0, 0, 0)
                logits = network(**{name: value.to(device) for name, value in inputs.items()}).float()
                loss = functional.cross_entropy(
                    logits.flatten(0, 1), targets.flatten().to(device), reduction="sum"
                )
                nats, tokens = nats + float(loss), tokens + targets.numel()
        return likelihood(nats, tokens * self._per_character, tokens)


def weights_of(network: Network) -> Mapping[str, Any]:
    """Return the learned numbers as arrays by name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
