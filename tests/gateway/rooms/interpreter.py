"""A tiny model that writes, with weights nobody trained: what it says is nonsense, how it says it is real."""

from __future__ import annotations

import torch

from servery.data.columns import Column, Kind, Role
from servery.fields._field import find_field
from servery.models.encoders.subwords import Subwords
from servery.models.encoders.utf8 import Utf8
from servery.models.predictor import Predictor
from servery.models.runtimes.lingua import Lingua
from servery.models.runtimes.torch_translator import TorchTranslator
from servery.models.signature import Signature
from servery.nn.network import build_network
from servery.nn.sequence_to_sequence import SequenceToSequence
from servery.tasks.task import Calibration

SHAPES: dict[str, dict[str, object]] = {
    "recurrent_translator": {"hidden_size": 16, "num_layers": 1, "has_attention": True},
    "transformer_translator": {"inner_size": 16, "heads": 2, "num_layers": 2, "max_tokens": 32},
}
LANGUAGES = ("de", "en", "es", "fr", "zh", "und")


def interpreter(network: str = "recurrent_translator", seed: int = 0) -> Predictor:
    """A translator from English to Chinese."""
    sample = find_field("machine-translation").offers[0].sample(100, 0)
    rows = [{"en": text} for text in sample["en"]]
    encoder = Subwords.fit(rows, ["en"], list(sample["zh"]), "zh", vocabulary_size=300, max_tokens=32)
    shape = {"embedding_size": 16, **SHAPES[network]}
    noise = dict.fromkeys(("token_dropout", "embedding_dropout", "dropout"), 0.1)
    sizes = {"vocabulary_size": encoder.vocabulary_size, "written_size": encoder.written_size}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = build_network(network, {**sizes, **shape, **noise})
    assert isinstance(built, SequenceToSequence)
    runtime = TorchTranslator(built, encoder.pieces(), encoder.max_tokens)
    return _predictor("translation", "en", (), encoder, runtime, rows[0]["en"])


def linguist() -> Predictor:
    """A detector of five languages."""
    runtime = Lingua(LANGUAGES, "low")
    return _predictor(
        "language-identification", "text", LANGUAGES, Utf8(["text"]), runtime, "Where is the station?"
    )


def _predictor(
    task: str, column: str, labels: tuple[str, ...], encoder: Utf8 | Subwords, runtime: object, example: str
) -> Predictor:
    signature = Signature(
        task=task,
        field="machine-translation",
        inputs=(Column(column, Kind.TEXT, Role.INPUT),),
        labels=labels,
        target="language" if labels else "zh",
        example=example,
    )
    return Predictor(signature, encoder, runtime, Calibration(), recipe=f"test-{task}")  # type: ignore[arg-type]
