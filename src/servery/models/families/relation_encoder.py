"""Pretrained encoders for relations: a head on vectors that stay as they are, or the upper blocks trained further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from servery.data.columns import Column
from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoder_source import encoder_folder
from servery.models.encoders.marked_pretrained_tokens import MarkedPretrainedTokens, MarkedRow, padded_rows
from servery.models.families._examples import EncodedExamples, TokenExamples
from servery.models.families._frozen_encoder import fit_head, put_head, vectors_of
from servery.models.families._network import BASE_BYTES, TRAINING, NetworkRecipe, NetworkSize
from servery.models.families._relations import FORM, TASKS, marked_column, mean_words
from servery.models.recipe import Cost, Work
from servery.models.sentence_encoders import PretrainedBert, pooling_of, read_bert
from servery.nn.network import Network
from servery.nn.networks.encoder_relation import EncoderRelation

MULTIPLICATIONS_PER_SECOND = 36e9
"""Of one thread through an encoder, measured with all-MiniLM-L6-v2 on one core."""
TOKENS_PER_WORD = 1.3
HEAD_ROWS = 2_000
"""Training rows that the first head of a fine-tuning is fitted on; the rest is left to the training itself."""
MARKS = 6
"""Tokens that stand around a text and its entities."""


@lru_cache(1)
def _read(source: str) -> PretrainedBert:
    folder = encoder_folder(source)
    return read_bert(folder, pooling_of(folder))


class MarkedTokenExamples(TokenExamples):
    """Tokens with their roles, padded batch by batch.

    Args:
        rows: Tokens and roles of each text.
        targets: int64, (rows,).
    """

    def __init__(self, rows: Sequence[MarkedRow], targets: np.ndarray) -> None:
        super().__init__([tokens for tokens, _ in rows], targets)
        self._rows = rows

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return `tokens`, `roles` and `is_token`, int64, (rows, length of the longest)."""
        batch = padded_rows([self._rows[row] for row in rows.tolist()])
        return {name: torch.from_numpy(array) for name, array in batch.items()}


class RelationFinetune(NetworkRecipe):
    """A pretrained encoder whose upper blocks are trained further."""

    name = "encoder-finetune"
    title = "Pretrained encoder, fine-tuned"
    summary = (
        "Vectors of both entities and of the text from a pretrained encoder with marks around the entities, its upper "
        "blocks trained further (Wu and He 2019, R-BERT, section 3)."
    )
    form = FORM
    tasks = TASKS
    network = "encoder_relation"
    least_epochs = 3
    most_epochs = 8
    least_steps = 600
    smallest_batch = 16
    largest_batch = 32
    defaults: ClassVar[Mapping[str, Any]] = {
        **TRAINING,
        "encoder": "",
        "context": 6,
        "max_tokens": 96,
        "frozen_blocks": 2,
        "inverse_penalty": 30.0,
        "max_iterations": 100,
        "learning_rate": 2e-4,
        "average_decay": 0.0,
        "precision": "native",
        "dropout": 0.1,
    }
    search_space = {"learning_rate": (1e-4, 2e-4, 3e-4), "frozen_blocks": (0, 2, 3), "context": (4, 8, 100)}

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the marked text."""
        return marked_column(dataset)

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Encoder:
        """Return the encoder's own tokens."""
        read, settings = _read(work.hyperparameters["encoder"]), work.hyperparameters
        longest = min(settings["max_tokens"], read.max_tokens)
        return MarkedPretrainedTokens(columns[0].name, read.tokenizer, settings["context"], longest)

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Encode the texts; entities too far apart lose words between them."""
        assert isinstance(encoder, MarkedPretrainedTokens)
        return MarkedTokenExamples(encoder.rows(rows, cut=True), targets)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the encoder's shape and the number of labels."""
        read = _read(work.hyperparameters["encoder"])
        return {"encoder": read.arguments, "labels": labels, "dropout": work.hyperparameters["dropout"]}

    def initialise(self, work: Work, network: Network, train: EncodedExamples) -> None:
        """Put in the pretrained weights and a head fitted on them; leave the words and the lower blocks as they are."""
        assert isinstance(network, EncoderRelation)
        encoder = network.encoder
        encoder.load_state_dict(_read(work.hyperparameters["encoder"]).weights)
        frozen = [encoder.words, encoder.places, encoder.parts, encoder.norm]
        frozen += list(encoder.blocks[: work.hyperparameters["frozen_blocks"]])
        for module in frozen:
            module.requires_grad_(False)
        assert isinstance(train, MarkedTokenExamples)
        rows = np.random.default_rng(work.seed).permutation(len(train))[:HEAD_ROWS]
        vectors, targets = vectors_of(network, train, work, rows), train.targets.numpy()[rows]
        # Chosen by nothing: the training moves the head anyway.
        put_head(network, fit_head(work, vectors, targets, vectors, targets, network.out.out_features))

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the blocks; the words' vectors stay as they are."""
        shape = _read(hyperparameters["encoder"]).arguments
        words = mean_words(dataset, 0) + 2 * hyperparameters["context"] / TOKENS_PER_WORD
        tokens = min(MARKS + TOKENS_PER_WORD * words, hyperparameters["max_tokens"])
        a_block = 4 * shape["size"] ** 2 + 2 * shape["size"] * shape["inner_size"]
        blocks = float(shape["num_layers"] * a_block)
        return NetworkSize(tokens * blocks, blocks, 24 * tokens, f"about {tokens:.0f} tokens each")

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the multiplications of a row: forwards through all blocks, backwards through the upper ones."""
        size, sizes = self.size(dataset, hyperparameters), self.sizes(len(dataset), hyperparameters)
        layers = _read(hyperparameters["encoder"]).arguments["num_layers"]
        passes = 1 + 2 * max(layers - hyperparameters["frozen_blocks"], 0) / layers
        seen = sizes["epochs"] * len(dataset)
        speed = MULTIPLICATIONS_PER_SECOND * threads**0.7
        seconds = 10.0 + passes * seen * size.multiplications / speed
        seconds += seen / sizes["batch_size"] * size.weights * 1.5e-8
        memory = BASE_BYTES + 28 * size.weights + size.example_bytes * len(dataset)
        return Cost(seconds, int(memory), f"{len(dataset):,} rows x {sizes['epochs']} epochs, {size.reason}")


RELATION_FINETUNE = RelationFinetune()
