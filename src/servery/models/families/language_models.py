"""Language models trained from scratch: an n-gram model, an LSTM and a Llama-shaped transformer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch

from servery.data.columns import Column
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.encoders.language import Language
from servery.models.families._assembly import assemble
from servery.models.families._language import (
    BYTES,
    TASKS,
    LanguageObjective,
    Windows,
    encoder_for,
    learned_tokenizer,
    running_text,
    text_column,
    texts_of,
    weights_of,
)
from servery.models.families._measures import mean_characters
from servery.models.families._network import (
    BASE_BYTES,
    BYTES_PER_WEIGHT,
    MULTIPLICATIONS_PER_SECOND,
    SECONDS_PER_STEP,
    SECONDS_PER_WEIGHT,
    TRAINING_PASSES,
)
from servery.models.growing import GrowingRuntime
from servery.models.language_tokenizer import LanguageTokenizer
from servery.models.predictor import Predictor
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.causal_language import CausalLanguage
from servery.models.runtimes.ngram_language import NgramLanguage, count
from servery.models.runtimes.recurrent_language import RecurrentLanguage
from servery.models.stepping_language import CONTEXT_TOKENS
from servery.nn.network import Network, build_network
from servery.nn.networks.causal_decoder import CausalDecoder

CHARACTERS_PER_TOKEN = 2.2
"""Of English with 512 to 1,024 tokens, learned from a megabyte."""
MOST_EPOCHS, LEAST_EPOCHS = 10, 1

EXAMPLE_CHARACTERS = 40
MOST_CODES = 2**63
"""A run of tokens is counted under one whole number."""

TRAINING: Mapping[str, Any] = {
    "vocabulary_size": 768,
    "window_tokens": 128,
    "optimizer": "adamw",
    "learning_rate": 4e-3,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "warmup_share": 0.05,
    "batch_size": 16,
    "epochs": 0,
    "patience": 0,
    "gradient_clip": 1.0,
    "accumulation_steps": 1,
    "average_decay": 0.0,
    "precision": "native",
}
"""Defaults of every network; a number of epochs of 0 is chosen from the length of the text."""


def tokens_in(dataset: Dataset) -> float:
    """Return about how many tokens a part has; half of a row's characters stand before its passage."""
    return max(mean_characters(dataset) * len(dataset) / 2 / CHARACTERS_PER_TOKEN, 1.0)


class NgramModel(Recipe):
    """Counts of runs of bytes."""

    name = "n-gram"
    title = "N-gram model"
    summary = "Counts of runs of bytes, mixed as in Witten and Bell (1991), The zero-frequency problem, section III."
    form = "text"
    tasks = TASKS
    can_stop_early = False
    defaults = {"order": 6, "vocabulary_size": BYTES + 1}
    search_space = {"order": (4, 5, 6)}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the characters, each of which ends a run of every length."""
        characters = mean_characters(dataset) * len(dataset) / 2
        runs = characters * hyperparameters["order"]
        reason = f"{len(dataset):,} rows of text, runs of up to {hyperparameters['order']} bytes"
        return Cost(0.5 + 3e-7 * runs, int(BASE_BYTES / 3 + 60 * runs), reason)

    def make(self, work: Work) -> Made:
        """Count."""
        column, texts = text_column(work.train), texts_of(work.train)
        tokenizer = learned_tokenizer(texts, work.hyperparameters["vocabulary_size"])
        text = running_text(texts, tokenizer)
        order = work.hyperparameters["order"]
        if tokenizer.size**order >= MOST_CODES:
            raise DataError(
                f"Runs of {order} of {tokenizer.size:,} tokens are too many to count.",
                hint="a smaller order or vocabulary_size",
                param="order",
            )
        counts = count(text.tokens, order, tokenizer.size)
        runtime = NgramLanguage(counts, tokenizer, _ends(tokenizer))
        encoder = encoder_for(column, tokenizer, CONTEXT_TOKENS)
        reason = "numpy: chances are looked up, nothing is multiplied"
        return Made(_assembled(work, self.name, column, encoder, runtime, reason))


class NetworkLanguageModel(Recipe):
    """A network that reads a text and puts out the logits of each next token."""

    form = "text"
    tasks = TASKS
    tokens_seen: ClassVar[int]
    """A small text is read so often that it makes about so many, up to `MOST_EPOCHS` times."""

    @abstractmethod
    def network(self, hyperparameters: Mapping[str, Any], vocabulary_size: int) -> Network:
        """Return the network with fresh weights."""

    @abstractmethod
    def runtime(self, network: Any, tokenizer: LanguageTokenizer) -> tuple[GrowingRuntime, int, str]:
        """Return what answers with the trained network, its longest text in tokens, and why it is that."""

    @abstractmethod
    def weights_of_a_token(self, hyperparameters: Mapping[str, Any]) -> float:
        """Return how many multiplications a token takes, but for the last layer's."""

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the tokens and the weights."""
        tokens = tokens_in(dataset)
        size = hyperparameters["vocabulary_size"] * _width(hyperparameters)
        weights = size + self.weights_of_a_token(hyperparameters)
        seen = tokens * self.epochs(tokens, hyperparameters)
        steps = seen / (hyperparameters["batch_size"] * hyperparameters["window_tokens"])
        a_step = SECONDS_PER_STEP + weights * SECONDS_PER_WEIGHT
        seconds = TRAINING_PASSES * weights * seen / (MULTIPLICATIONS_PER_SECOND * threads**0.7)
        memory = BASE_BYTES + BYTES_PER_WEIGHT * weights + 24 * tokens
        reason = f"{len(dataset):,} rows of text, about {seen:,.0f} tokens to read"
        return Cost(3.0 + seconds + a_step * steps, int(memory), reason)

    def epochs(self, tokens: float, hyperparameters: Mapping[str, Any]) -> int:
        """Return how often the text is read, chosen from its length where that is 0."""
        enough = round(self.tokens_seen / tokens)
        return int(hyperparameters["epochs"]) or min(max(enough, LEAST_EPOCHS), MOST_EPOCHS)

    def make(self, work: Work) -> Made:
        """Learn the tokens, then the network."""
        asked, column = work.hyperparameters, text_column(work.train)
        texts = texts_of(work.train)
        tokenizer = learned_tokenizer(texts, asked["vocabulary_size"])
        train, validation = (running_text(t, tokenizer) for t in (texts, texts_of(work.validation)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(work.seed)
            network = self.network(asked, tokenizer.size)
        epochs = self.epochs(len(train.tokens), asked)
        work.progress.say(
            "Network",
            f"{network.parameter_count():,} weights; {len(train.tokens):,} tokens of "
            f"{train.characters / len(train.tokens):.1f} characters, read {epochs} times at most",
        )
        windows = Windows(train.tokens, asked["window_tokens"])
        objective = LanguageObjective(validation, asked["window_tokens"])
        learned = work.loop.fit(network, windows, objective, {**asked, "epochs": epochs})
        runtime, context_tokens, reason = self.runtime(network, tokenizer)
        encoder = encoder_for(column, tokenizer, context_tokens)
        predictor = _assembled(work, self.name, column, encoder, runtime, reason)
        return Made(predictor, learned.history, learned.stopped)


class LstmLanguageModel(NetworkLanguageModel):
    """An LSTM that carries its state along."""

    name = "lstm"
    tokens_seen = 2_000_000
    title = "LSTM language model"
    summary = (
        "A recurrent language model of LSTM cells (Mikolov et al. 2010; Zaremba et al. 2014, section 3.1)."
    )
    defaults = {**TRAINING, "embedding_size": 256, "hidden_size": 448, "num_layers": 1, "dropout": 0.1}
    search_space = {
        "hidden_size": (256, 448, 640),
        "num_layers": (1, 2),
        "dropout": (0.0, 0.1, 0.3),
        "vocabulary_size": (512, 768, 1536),
    }

    def network(self, hyperparameters: Mapping[str, Any], vocabulary_size: int) -> Network:
        """Return the network with fresh weights."""
        shape = {name: hyperparameters[name] for name in _RECURRENT}
        return build_network(
            "recurrent_decoder", {**shape, "vocabulary_size": vocabulary_size, "cell": "lstm"}
        )

    def runtime(self, network: Any, tokenizer: LanguageTokenizer) -> tuple[GrowingRuntime, int, str]:
        """Return the network in numpy."""
        runtime = RecurrentLanguage(weights_of(network), tokenizer, _ends(tokenizer))
        return (
            runtime,
            CONTEXT_TOKENS,
            "numpy: one step of one text is a few small products, no torch is loaded",
        )

    def weights_of_a_token(self, hyperparameters: Mapping[str, Any]) -> float:
        """Count the gates and the projection."""
        hidden, size = hyperparameters["hidden_size"], hyperparameters["embedding_size"]
        others = (hyperparameters["num_layers"] - 1) * 2 * hidden
        return float(4 * hidden * (size + hidden + others) + hidden * size)


class TransformerLanguageModel(NetworkLanguageModel):
    """A small Llama."""

    name = "transformer"
    tokens_seen = 2_000_000
    title = "Llama-shaped transformer"
    summary = (
        "A causal decoder with rotary places, root-mean-square norms and gated networks (Touvron et al. 2023, LLaMA, "
        "section 2.2), trained by Muon (Jordan et al. 2024); saved in the Hugging Face layout."
    )
    defaults = {
        **TRAINING,
        "optimizer": "muon",
        "window_tokens": 256,
        "batch_size": 4,
        "hidden_size": 192,
        "num_layers": 4,
        "heads": 3,
    }
    search_space = {
        "hidden_size": (128, 192, 256),
        "num_layers": (3, 4, 6),
        "learning_rate": (2e-3, 4e-3, 8e-3),
        "vocabulary_size": (512, 768, 1536),
    }

    def network(self, hyperparameters: Mapping[str, Any], vocabulary_size: int) -> Network:
        """Return the network with fresh weights."""
        hidden, heads = hyperparameters["hidden_size"], hyperparameters["heads"]
        return build_network(
            "causal_decoder",
            {
                "vocabulary_size": vocabulary_size,
                "hidden_size": hidden,
                "inner_size": _inner_size(hidden),
                "num_layers": hyperparameters["num_layers"],
                "heads": heads,
                "key_value_heads": heads,
                "head_size": hidden // heads,
                # Places that were never learned read as noise.
                "context_tokens": hyperparameters["window_tokens"],
                "norm_epsilon": 1e-5,
                "rope_theta": 10_000.0,
                "rope_scaling": None,
                "is_tied": True,
                "input_bias": False,
                "output_bias": False,
            },
        )

    def runtime(self, network: Any, tokenizer: LanguageTokenizer) -> tuple[GrowingRuntime, int, str]:
        """Return the network with the keys and values of the texts under way."""
        assert isinstance(network, CausalDecoder)
        runtime = CausalLanguage(network, tokenizer, _ends(tokenizer))
        reason = "torch: keys and values are kept from token to token, for many texts in one pass"
        return runtime, network.context_tokens, reason

    def weights_of_a_token(self, hyperparameters: Mapping[str, Any]) -> float:
        """Count the projections, the gated networks and the looks at the tokens before."""
        hidden = hyperparameters["hidden_size"]
        block = 4 * hidden**2 + 3 * hidden * _inner_size(hidden)
        looks = 2 * hyperparameters["window_tokens"] * hidden
        return float(hyperparameters["num_layers"] * (block + looks))


_RECURRENT = ("embedding_size", "hidden_size", "num_layers", "dropout")
"""Hyperparameters that are arguments of the recurrent network."""


def _assembled(
    work: Work, name: str, column: Column, encoder: Language, runtime: GrowingRuntime, reason: str
) -> Predictor:
    """Return the finished model; its example is how the first text held out begins."""
    predictor = assemble(work, name, (column,), (), encoder, runtime, reason)
    begun = str(work.validation[work.validation.target.name][0])[:EXAMPLE_CHARACTERS]
    return replace(predictor, signature=replace(predictor.signature, example=begun))


def _inner_size(hidden_size: int) -> int:
    """Return the width at which a gated network has the weights of a plain one (Shazeer 2020, section 3)."""
    return max(8 * hidden_size // 3 // 32 * 32, 32)


def _width(hyperparameters: Mapping[str, Any]) -> int:
    return int(hyperparameters.get("embedding_size") or hyperparameters["hidden_size"])


def _ends(tokenizer: LanguageTokenizer) -> tuple[int, ...]:
    end = tokenizer.number("eos_token")
    assert end is not None
    return (end,)


NGRAM = NgramModel()
LSTM = LstmLanguageModel()
TRANSFORMER = TransformerLanguageModel()
