"""Pretrained sentence encoders: a head on top of one that stays as it is, or all of it trained further."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.encoder import Encoder
from servery.models.encoder_source import encoder_folder
from servery.models.encoders.pretrained_tokens import PretrainedTokens
from servery.models.families._assembly import LABEL_TASKS, assemble, columns_for, say_left_out
from servery.models.families._examples import EncodedExamples
from servery.models.families._frozen_encoder import fit_head, put_head, vectors_of
from servery.models.families._measures import mean_tokens
from servery.models.families._network import BASE_BYTES, TRAINING, NetworkRecipe, NetworkSize
from servery.models.families._pretrained_examples import PretrainedExamples
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.torch_network import TorchNetwork
from servery.models.sentence_encoders import PretrainedBert, pooling_of, read_bert
from servery.nn.network import Network, build_network
from servery.nn.networks.encoder_classifier import EncoderClassifier

MULTIPLICATIONS_PER_SECOND = 40e9
"""Of one thread through an encoder, measured with all-MiniLM-L6-v2 on one core."""
MARKS = 2
"""Tokens that stand around every text."""
MOST_COLUMNS = 2
CARRIED_SHAPE = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6}
"""Of the encoder that is used where none is named."""
HEAD_ROWS = 5_000
"""Training rows that the first head of a fine-tuning is fitted on; the rest is left to the training itself."""


@lru_cache(1)
def _read(source: str) -> PretrainedBert:
    folder = encoder_folder(source)
    return read_bert(folder, pooling_of(folder))


def _told(source: str) -> dict[str, Any]:
    """Return what the encoder's description says; nothing where it is not at hand, as an estimate fetches nothing."""
    try:
        return dict(json.loads((Path(source) / "config.json").read_text(encoding="utf-8"))) if source else {}
    except (OSError, ValueError):
        return {}


def _columns(dataset: Dataset) -> tuple[Column, ...]:
    columns = columns_for(dataset, frozenset({Kind.TEXT}))
    if len(columns) > MOST_COLUMNS:
        raise DataError(
            f"A pretrained encoder reads one text or a pair of texts; the inputs are "
            f"{', '.join(repr(column.name) for column in columns)}.",
            hint="give the columns to leave out the role ignored, e.g. --role title=ignored",
            param="data",
        )
    return columns


def _tokens(work: Work, columns: Sequence[Column]) -> PretrainedTokens:
    read = _read(work.hyperparameters["encoder"])
    longest = min(work.hyperparameters["max_tokens"], read.max_tokens)
    return PretrainedTokens([column.name for column in columns], read.tokenizer, longest)


def _encoded(encoder: Encoder, rows: Sequence[Mapping[str, Any]], targets: np.ndarray) -> PretrainedExamples:
    assert isinstance(encoder, PretrainedTokens)
    return PretrainedExamples(encoder.rows(rows, cut=True), targets)


def _arguments(work: Work, labels: int) -> dict[str, Any]:
    read = _read(work.hyperparameters["encoder"])
    return {"encoder": read.arguments, "labels": labels, "dropout": work.hyperparameters["dropout"]}


def _size(dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
    shape = {**CARRIED_SHAPE, **_told(hyperparameters["encoder"])}
    tokens = MARKS + mean_tokens(dataset, hyperparameters["max_tokens"])
    a_block = 4 * shape["hidden_size"] ** 2 + 2 * shape["hidden_size"] * shape["intermediate_size"]
    blocks = float(shape["num_hidden_layers"] * a_block)
    return NetworkSize(tokens * blocks, blocks, 24 * tokens, f"about {tokens:.0f} tokens each")


class EncoderHead(Recipe):
    """Vectors of the texts, computed once, then logistic regression."""

    name = "encoder-head"
    title = "Pretrained encoder with a logistic head"
    summary = (
        "Logistic regression on what several blocks of a pretrained encoder say, which stays as it is "
        "(Devlin et al. 2019, BERT, section 5.3; Reimers and Gurevych 2019, Sentence-BERT)."
    )
    form = "text"
    tasks = LABEL_TASKS
    can_stop_early = False  # the vectors take the larger half
    defaults = {
        "encoder": "",
        "max_tokens": 128,
        "inverse_penalty": 0.0,
        "class_weights": "none",
        "max_iterations": 60,
        "tolerance": 1e-5,
        "dropout": 0.0,
        "precision": "native",
    }
    search_space = {"inverse_penalty": (3.0, 10.0, 30.0), "class_weights": ("none", "balanced")}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the multiplications of a row, once through the encoder."""
        size = _size(dataset, hyperparameters)
        speed = MULTIPLICATIONS_PER_SECOND * threads**0.7
        # A tenth more for the validation rows, as much again for the fits of the head.
        seconds = 5.0 + 1.2 * size.multiplications * len(dataset) / speed
        memory = BASE_BYTES + 12 * size.weights + 2000 * len(dataset)
        return Cost(seconds, int(memory), f"{len(dataset):,} texts through the encoder, {size.reason}")

    def make(self, work: Work) -> Made:
        """Read the encoder, compute the vectors, fit the head."""
        columns, labels = _columns(work.train), work.task.labels_of(work.train)
        say_left_out(work, columns)
        encoder = _tokens(work, columns)
        network = build_network("encoder_classifier", _arguments(work, len(labels)))
        assert isinstance(network, EncoderClassifier)
        network.encoder.load_state_dict(_read(work.hyperparameters["encoder"]).weights)
        parts = [
            _encoded(encoder, list(part.examples()), work.task.encode_targets(part, labels))
            for part in (work.train, work.validation)
        ]
        train, validation = (vectors_of(network, part, work) for part in parts)
        targets, wanted = (part.targets.numpy() for part in parts)
        head = fit_head(work, train, targets, validation, wanted, len(labels))
        put_head(network, head)
        runtime = TorchNetwork(network)
        predictor = assemble(work, self.name, columns, labels, encoder, runtime, "torch, as it was trained")
        return Made(predictor, head.fit.history, head.fit.stopped)


class EncoderFinetune(NetworkRecipe):
    """First a head on the encoder as it is, then both are trained."""

    name = "encoder-finetune"
    title = "Pretrained encoder, fine-tuned"
    summary = (
        "All blocks of a pretrained encoder trained further (Devlin et al. 2019, section 4.1), from a head that was "
        "fitted first, so that random weights do not spoil it (Kumar et al. 2022, section 3.4)."
    )
    form = "text"
    network = "encoder_classifier"
    least_epochs = 2
    most_epochs = 10
    least_steps = 600
    smallest_batch = 16
    largest_batch = 32
    defaults = {
        **TRAINING,
        "encoder": "",
        "max_tokens": 128,
        "inverse_penalty": 10.0,
        "max_iterations": 60,
        "tolerance": 1e-5,
        "learning_rate": 1e-4,
        "average_decay": 0.0,
        "precision": "native",
        "dropout": 0.1,
        "train_words": False,
    }
    search_space = {"learning_rate": (5e-5, 1e-4, 2e-4), "epochs": (1, 2, 4)}

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the one or two text columns."""
        return _columns(dataset)

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Encoder:
        """Return the encoder's own tokens."""
        return _tokens(work, columns)

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Encode the texts, cut at max_tokens."""
        return _encoded(encoder, rows, targets)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the encoder's shape and the number of labels."""
        return _arguments(work, labels)

    def initialise(self, work: Work, network: Network, train: EncodedExamples) -> None:
        """Put in the pretrained weights and a head fitted on them; leave the words' vectors alone."""
        assert isinstance(network, EncoderClassifier)
        assert isinstance(train, PretrainedExamples)
        network.encoder.load_state_dict(_read(work.hyperparameters["encoder"]).weights)
        rows = np.random.default_rng(work.seed).permutation(len(train))[:HEAD_ROWS]
        vectors, targets = vectors_of(network, train, work, rows), train.targets.numpy()[rows]
        # Nothing is chosen here, so nothing is judged: the training moves the head anyway.
        put_head(network, fit_head(work, vectors, targets, vectors, targets, network.out.out_features))
        network.encoder.words.requires_grad_(work.hyperparameters["train_words"])

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the blocks; the words' vectors stay as they are."""
        return _size(dataset, hyperparameters)

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the multiplications of a row, once forwards and twice backwards in every epoch."""
        size, sizes = self.size(dataset, hyperparameters), self.sizes(len(dataset), hyperparameters)
        passes = 3 * sizes["epochs"] * len(dataset) + HEAD_ROWS
        speed = MULTIPLICATIONS_PER_SECOND * threads**0.7
        steps = sizes["epochs"] * len(dataset) / sizes["batch_size"]
        seconds = 10.0 + passes * size.multiplications / speed + steps * size.weights * 1.5e-8
        memory = BASE_BYTES + 28 * size.weights + size.example_bytes * len(dataset)
        return Cost(seconds, int(memory), f"{len(dataset):,} rows x {sizes['epochs']} epochs, {size.reason}")


ENCODER_HEAD = EncoderHead()
ENCODER_FINETUNE = EncoderFinetune()
