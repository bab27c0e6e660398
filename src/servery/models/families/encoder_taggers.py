"""Taggers on a pretrained encoder: one that stays as it is, or all of it trained further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.encoder import Batch, Encoder
from servery.models.encoder_source import encoder_folder
from servery.models.encoders._words import text_of
from servery.models.encoders.tagged_pieces import TaggedPieces
from servery.models.encoders.tagged_words import TaggedWords, padded
from servery.models.families._assembly import assemble, say_left_out
from servery.models.families._measures import mean_tokens
from servery.models.families._network import BASE_BYTES, BYTES_PER_WEIGHT
from servery.models.families._tagged_examples import TaggedExamples
from servery.models.families._tagging import TAGGER_TRAINING, ChainObjective, TaggerRecipe, say_words
from servery.models.recipe import Cost, Learned, Made, Work
from servery.models.runtimes.torch_network import TorchNetwork
from servery.models.sentence_encoders import PretrainedBert, read_bert
from servery.nn.network import build_network
from servery.nn.networks.encoder_tagger import EncoderTagger
from servery.tasks.tagging import Tagging

ENCODER_INPUTS = ("tokens", "parts", "is_token", "firsts")
BATCH = 64
MULTIPLICATIONS_PER_SECOND = 40e9
"""Of one thread through an encoder, measured with all-MiniLM-L6-v2 on one core."""
CARRIED_BLOCKS = 6 * (4 * 384**2 + 2 * 384 * 1536)
"""Multiplications of one token in the encoder that is used where none is named."""


class SeenExamples(TaggedExamples):
    """Words with their vectors from an encoder, computed once.

    Args:
        rows: The encoder's arrays of each text.
        spans: Of each text its spans.
        contexts: Of each text its words' vectors, float32, (words, size).
    """

    def __init__(self, rows: Sequence[Batch], spans: np.ndarray, contexts: Sequence[np.ndarray]) -> None:
        super().__init__([_without_encoder_inputs(row) for row in rows], spans)
        self.contexts = contexts

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return the arrays of these rows, with `context`, (rows, length, size)."""
        inputs = super().inputs(rows)
        shape = (*inputs["words"].shape, self.contexts[0].shape[1])
        context = np.zeros(shape, np.float32)
        for number, row in enumerate(rows.tolist()):
            context[number, : len(self.contexts[row])] = self.contexts[row]
        return {"context": torch.from_numpy(context), **inputs}


def _without_encoder_inputs(row: Batch) -> Batch:
    return {name: array for name, array in row.items() if name not in ENCODER_INPUTS}


def contexts_of(network: EncoderTagger, examples: TaggedExamples, work: Work) -> list[np.ndarray]:
    """Return the vectors of the words of each text, float32, (words, size); in batches of like lengths."""
    order = np.argsort([len(row["tokens"]) for row in examples.rows], kind="stable")
    found: list[np.ndarray] = [np.zeros(0)] * len(order)
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH].tolist()
            batch = padded([{name: examples.rows[p][name] for name in ENCODER_INPUTS} for p in places])
            seen = network.context(**{name: torch.from_numpy(array) for name, array in batch.items()})
            for place, vectors in zip(places, seen.numpy(), strict=True):
                found[place] = vectors[: len(examples.rows[place]["firsts"])].copy()
            work.progress.update("Vectors", min(start + BATCH, len(order)), len(order))
    return found


class EncoderHead(TaggerRecipe):
    """The encoder's vectors of the words, computed once, under a BiLSTM-CRF."""

    name = "encoder-head"
    title = "Pretrained encoder under a BiLSTM-CRF"
    summary = (
        "A BiLSTM-CRF over the words' vectors in a pretrained encoder that stays as it is "
        "(Devlin et al. 2019, section 5.3), beside capitals, ends and characters."
    )
    network = "encoder_tagger"
    least_epochs = 10
    defaults = {
        **{name: value for name, value in TAGGER_TRAINING.items() if name != "swapped_spans"},
        "encoder": "",
        "layers": [-4, -1],
        "max_tokens": 256,
        "word_size": 16,
        "hidden_size": 128,
        "context_dropout": 0.3,
    }
    search_space = {
        "learning_rate": (1e-3, 2e-3, 4e-3),
        "hidden_size": (64, 128, 200),
        "context_dropout": (0.1, 0.3, 0.5),
    }

    def make(self, work: Work) -> Made:
        """Read the encoder, learn what is on top of it."""
        columns, labels = self.columns(work.train), work.task.labels_of(work.train)
        say_left_out(work, columns)
        read = read_bert(encoder_folder(work.hyperparameters["encoder"]), "mean")
        rows = list(work.train.examples())
        encoder = self.tokens(work, columns[0].name, rows, read)
        train, validation = (
            self.examples(
                work,
                encoder,
                list(part.examples()),
                work.task.encode_targets(part, labels),
                part is work.train,
            )
            for part in (work.train, work.validation)
        )
        network = self.built(work, encoder, read, len(labels))
        learned = self.learn(work, network, train, validation)
        predictor = assemble(
            work, self.name, columns, labels, encoder, TorchNetwork(network), "torch, as it was trained"
        )
        return Made(predictor, learned.history, learned.stopped)

    def tokens(
        self, work: Work, column: str, rows: Sequence[Mapping[str, Any]], read: PretrainedBert
    ) -> TaggedPieces:
        """Learn the words of the training texts, beside the tokens of the encoder."""
        asked = work.hyperparameters
        words = TaggedWords.fit(
            rows, [column], vocabulary_size=asked["vocabulary_size"], max_words=asked["max_words"]
        )
        return TaggedPieces(words, read.tokenizer, min(asked["max_tokens"], read.max_tokens))

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> TaggedExamples:
        """Encode the texts, cut at max_tokens."""
        assert isinstance(encoder, TaggedPieces)
        encoded = [encoder.row(text_of(row, encoder.words.columns), cut=True) for row in rows]
        made = TaggedExamples(encoded, targets)
        if is_training:
            say_words(work, encoder.words, made)
        return made

    def built(self, work: Work, encoder: TaggedPieces, read: PretrainedBert, labels: int) -> EncoderTagger:
        """Return the network with the pretrained weights in it."""
        asked, blocks = work.hyperparameters, read.arguments["num_layers"]
        if not asked["layers"] or not all(-blocks - 1 <= layer <= blocks for layer in asked["layers"]):
            raise DataError(
                f"layers is {asked['layers']}; the encoder has the layers 0 to {blocks}, or -1 down to {-blocks - 1}.",
                param="layers",
            )
        features = {
            name: asked[name] for name in ("word_size", "shape_size", "affix_size", "character_filters")
        }
        tagger = {
            "features": {
                "counts": encoder.words.counts,
                **features,
                "word_dropout": asked["word_dropout"],
                "dropout": asked["embedding_dropout"],
            },
            "labels": labels,
            **{name: asked[name] for name in ("hidden_size", "context_dropout", "dropout")},
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(work.seed)
            network = build_network(
                self.network, {"encoder": read.arguments, "layers": list(asked["layers"]), "tagger": tagger}
            )
        assert isinstance(network, EncoderTagger)
        network.encoder.load_state_dict(read.weights)
        return network

    def learn(
        self, work: Work, network: EncoderTagger, train: TaggedExamples, validation: TaggedExamples
    ) -> Learned:
        """Compute the words' vectors once, and train what is on top."""
        seen, seen_validation = (
            SeenExamples(part.rows, part.spans, contexts_of(network, part, work))
            for part in (train, validation)
        )
        asked = {**work.hyperparameters, **self.sizes(len(train), work.hyperparameters)}
        assert isinstance(work.task, Tagging)
        return work.loop.fit(network.tagger, seen, ChainObjective(work.task, seen_validation), asked)

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from one pass of every text through the encoder, and the training of what is on top."""
        top = super().cost(dataset, hyperparameters, threads)
        tokens = mean_tokens(dataset, hyperparameters["max_tokens"])
        speed = MULTIPLICATIONS_PER_SECOND * threads**0.7
        seconds = top.seconds + 5.0 + 1.3 * tokens * CARRIED_BLOCKS * len(dataset) / speed
        vectors = 4 * 384 * len(hyperparameters["layers"]) * tokens * len(dataset)
        memory = BASE_BYTES + BYTES_PER_WEIGHT * CARRIED_BLOCKS + vectors + top.memory_bytes
        return Cost(seconds, int(memory), f"{top.reason}, once through the encoder")


class EncoderFinetune(EncoderHead):
    """First what is on top of the encoder as it is, then both."""

    name = "encoder-finetune"
    title = "Pretrained encoder, fine-tuned, under a BiLSTM-CRF"
    summary = (
        "The last blocks of a pretrained encoder trained further together with the BiLSTM-CRF on top of them "
        "(Devlin et al. 2019, section 5.3), which is trained alone first (Kumar et al. 2022, section 3.4)."
    )
    defaults = {
        **EncoderHead.defaults,
        "encoder_learning_rate": 1e-4,
        "encoder_epochs": 3,
        "frozen_blocks": 2,
        "precision": "native",
    }
    search_space = {"encoder_learning_rate": (5e-5, 1e-4, 2e-4), "frozen_blocks": (0, 2, 4)}

    def learn(
        self, work: Work, network: EncoderTagger, train: TaggedExamples, validation: TaggedExamples
    ) -> Learned:
        """Train what is on top, then the last blocks too; the better of the two on validation stays."""
        asked = work.hyperparameters
        assert isinstance(work.task, Tagging)
        top = super().learn(work, network, train, validation)
        for part in (
            network.encoder.words,
            network.encoder.places,
            network.encoder.parts,
            network.encoder.norm,
        ):
            part.requires_grad_(False)
        for block in network.encoder.blocks[: asked["frozen_blocks"]]:
            block.requires_grad_(False)
        before = {name: weight.clone() for name, weight in network.state_dict().items()}
        sizes = self.sizes(len(train), asked)
        changed = {
            "learning_rate": asked["encoder_learning_rate"],
            "epochs": asked["encoder_epochs"],
            "patience": 0,
            "average_decay": 0.0,
            "batch_size": sizes["batch_size"],
        }
        whole = work.loop.fit(network, train, ChainObjective(work.task, validation), {**asked, **changed})
        history = (
            *top.history,
            *({**row, "epoch": row["epoch"] + len(top.history)} for row in whole.history),
        )
        best_of = [
            max(row.get(work.task.primary_metric, 0.0) for row in part.history) for part in (top, whole)
        ]
        if best_of[0] > best_of[1]:
            network.load_state_dict(before)
            return Learned(history, whole.stopped, top.best_epoch)
        return Learned(history, whole.stopped, len(top.history) + whole.best_epoch)

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Add the passes of every text forwards and backwards through the encoder."""
        top = super().cost(dataset, hyperparameters, threads)
        tokens = mean_tokens(dataset, hyperparameters["max_tokens"])
        speed = MULTIPLICATIONS_PER_SECOND * threads**0.7
        passes = 3 * hyperparameters["encoder_epochs"] * len(dataset)
        seconds = top.seconds + 1.3 * passes * tokens * CARRIED_BLOCKS / speed
        return Cost(
            seconds,
            top.memory_bytes,
            f"{top.reason}, then {hyperparameters['encoder_epochs']} epochs of both",
        )


ENCODER_HEAD = EncoderHead()
ENCODER_FINETUNE = EncoderFinetune()
