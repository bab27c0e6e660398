"""Models that summarize: one learned in a second from invented reports, and one that writes, untrained."""

from __future__ import annotations

import torch

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.fields._field import find_field
from servery.models.encoder import Encoder
from servery.models.encoders.articles import Articles
from servery.models.encoders.utf8 import Utf8
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime
from servery.models.runtimes.text_rank import TextRank
from servery.models.runtimes.torch_translator import TorchTranslator
from servery.models.signature import Signature
from servery.nn.network import build_network
from servery.nn.sequence_to_sequence import SequenceToSequence
from servery.tasks.task import Calibration

MOST_TOKENS = 64


def reports(rows: int = 60) -> Dataset:
    """Invented reports."""
    return find_field("text-summarization").offers[0].sample(rows, 0)


def abridger(count: int = 1) -> Predictor:
    """Chooses the most central sentences."""
    return _predictor(Utf8(["text"], 100_000), TextRank(count, 0.85, 0.5))


def reporter(seed: int = 0) -> Predictor:
    """Writes anew, and copies; what it says is nonsense."""
    sample = reports()
    rows = [{"text": text} for text in sample["text"]]
    encoder = Articles.fit(
        rows, ["text"], list(sample["summary"]), "summary", vocabulary_size=300, max_tokens=MOST_TOKENS
    )
    assert isinstance(encoder, Articles)
    encoder.longest_written = 12
    noise = dict.fromkeys(("token_dropout", "embedding_dropout", "dropout"), 0.1)
    sizes = {"vocabulary_size": encoder.vocabulary_size, "embedding_size": 16, "hidden_size": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = build_network("pointer_generator", {**sizes, **noise})
    assert isinstance(built, SequenceToSequence)
    return _predictor(encoder, TorchTranslator(built, encoder.pieces(), encoder.max_tokens))


def _predictor(encoder: Encoder, runtime: Runtime) -> Predictor:
    signature = Signature(
        task="summarization",
        field="text-summarization",
        inputs=(Column("text", Kind.TEXT, Role.INPUT),),
        target="summary",
        example=str(reports(1)["text"][0]),
    )
    return Predictor(signature, encoder, runtime, Calibration(), recipe=f"test-{runtime.name}")
