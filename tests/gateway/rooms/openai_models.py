"""The smallest honest models of the tasks that OpenAI's routes ask: made in milliseconds, in ONNX, without torch."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from servery.data.audio import wav_of
from servery.data.columns import Column, Kind, Role
from servery.models.encoder import Encoder
from servery.models.encoders.log_mel import LogMel
from servery.models.encoders.pretrained_tokens import PretrainedTokens
from servery.models.encoders.prompts import Prompts
from servery.models.encoders.terms import Terms
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime
from servery.models.runtimes.linear import Linear
from servery.models.runtimes.onnx import Onnx
from servery.models.signature import Signature
from servery.tasks.task import Calibration

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
TOPICS = (
    "cat dog kitten puppy pet pets animal animals sleeps barks",
    "rain wind sun snow storm weather cloud sky",
    "bread cheese soup eat eats eating food meal dinner",
    "train bus car road drive drives travel station",
)
TOPIC_SIZE = 6


def predictor(
    task: str,
    columns: list[tuple[str, Kind]],
    encoder: Encoder,
    runtime: Runtime,
    example: Any,
    labels: tuple[str, ...] = (),
) -> Predictor:
    inputs = tuple(Column(name, kind, Role.INPUT) for name, kind in columns)
    signature = Signature(
        task=task, field="sentiment-analysis", inputs=inputs, labels=labels, example=example
    )
    return Predictor(signature, encoder, runtime, Calibration(), recipe=f"test-{task}")


def onnx(nodes: list[Any], inputs: dict[str, tuple[int, list[Any]]], weights: dict[str, np.ndarray]) -> Onnx:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info("out", FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return Onnx(model.SerializeToString(), 1)


def tokenizer() -> Tokenizer:
    """Words of a small vocabulary, with BERT's marks around one text or two."""
    words = dict.fromkeys([*MARKS, *" ".join(TOPICS).split()])
    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return made


def meaning() -> Predictor:
    """A sentence-embedding model: the mean of its words' vectors; words of one topic lie close together."""
    rng = np.random.default_rng(0)
    words = tokenizer().get_vocab()
    table = np.zeros((len(words), TOPIC_SIZE), np.float32)
    for number, topic in enumerate(TOPICS):
        for word in topic.split():
            table[words[word]] = np.eye(TOPIC_SIZE)[number] + 0.2 * rng.standard_normal(TOPIC_SIZE)
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "tokens"], ["vectors"]),
        node("Cast", ["is_token"], ["mask"], to=FLOAT),
        node("ReduceSum", ["mask", "one"], ["count"], keepdims=1),
        node("Unsqueeze", ["mask", "two"], ["weights"]),
        node("Mul", ["vectors", "weights"], ["kept"]),
        node("ReduceSum", ["kept", "one"], ["sum"], keepdims=0),
        node("Div", ["sum", "count"], ["mean"]),
        node("Concat", ["count", "mean"], ["out"], axis=1),
    ]
    axes = (INT, ["rows", "length"])
    runtime = onnx(
        nodes,
        {"tokens": axes, "is_token": axes},
        {"table": table, "one": np.array([1]), "two": np.array([2])},
    )
    encoder = PretrainedTokens(["text"], tokenizer(), 64)
    return predictor("sentence-embedding", [("text", Kind.TEXT)], encoder, runtime, "a cat sleeps")


def judge() -> Predictor:
    """A cross-encoder: the share of the query's known words that the document has."""
    node = helper.make_node
    nodes = [
        node("Cast", ["is_token"], ["mask"], to=FLOAT),
        node("ReduceSum", ["mask", "one"], ["count"], keepdims=1),
        node("Greater", ["tokens", "last_mark"], ["is_word"]),
        node("Cast", ["is_word"], ["word"], to=FLOAT),
        node("Cast", ["parts"], ["in_document"], to=FLOAT),
        node("Mul", ["word", "in_document"], ["document"]),
        node("Sub", ["word", "document"], ["query"]),
        node("Unsqueeze", ["tokens", "two"], ["down"]),
        node("Unsqueeze", ["tokens", "one"], ["across"]),
        node("Equal", ["down", "across"], ["same"]),
        node("Cast", ["same"], ["alike"], to=FLOAT),
        node("Unsqueeze", ["document", "one"], ["documents"]),
        node("Mul", ["alike", "documents"], ["found_in"]),
        node("ReduceMax", ["found_in"], ["found"], axes=[2], keepdims=0),
        node("Mul", ["found", "query"], ["hits"]),
        node("ReduceSum", ["hits", "one"], ["hit"], keepdims=1),
        node("ReduceSum", ["query", "one"], ["asked"], keepdims=1),
        node("Add", ["asked", "tiny"], ["asked_for"]),
        node("Div", ["hit", "asked_for"], ["share"]),
        node("Mul", ["share", "eight"], ["scaled"]),
        node("Sub", ["scaled", "four"], ["logit"]),
        node("Concat", ["count", "logit"], ["out"], axis=1),
    ]
    axes = (INT, ["rows", "length"])
    weights: dict[str, Any] = {"one": np.array([1]), "two": np.array([2]), "last_mark": np.array(3)}
    weights |= {name: np.array(v, np.float32) for name, v in (("tiny", 1e-6), ("eight", 8), ("four", 4))}
    runtime = onnx(nodes, {"tokens": axes, "parts": axes, "is_token": axes}, weights)
    encoder = PretrainedTokens(["query", "document"], tokenizer(), 64)
    columns = [("query", Kind.TEXT), ("document", Kind.TEXT)]
    return predictor("text-ranking", columns, encoder, runtime, {"query": "cat", "document": "a cat"})


LETTERS = " abcdefgh"
"""The tones' language: a letter is a tone, and so is the space between two words."""
RATE = 8000


def tone(letter: str, seconds: float) -> np.ndarray:
    hertz = 400 * 2 ** (LETTERS.index(letter) / 3.5)
    times = np.arange(int(seconds * RATE)) / RATE
    return 0.5 * np.sin(2 * np.pi * hertz * times)


def speech(text: str, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """A text said in tones of 80 ms with 30 ms of near silence between them, (samples,)."""
    shape = np.hanning(int(0.08 * RATE)) ** 0.25
    gap, edge = np.zeros(int(0.03 * RATE)), np.zeros(int(0.05 * RATE))
    parts = [edge, *[part for letter in text for part in (tone(letter, 0.08) * shape, gap)], edge]
    said = np.concatenate(parts)
    said += 0.005 * np.random.default_rng(seed).standard_normal(len(said))
    times = np.arange(int(len(said) * rate / RATE)) / rate
    return said if rate == RATE else np.interp(times, np.arange(len(said)) / RATE, said)


def spoken(text: str, seed: int = 0) -> bytes:
    """A text said in tones, as a wav."""
    return wav_of(speech(text, seed), RATE)


def tones() -> Predictor:
    """A speech model for the tones' language: each frame's logits tell how near its spectrum is to each tone's."""
    encoder = LogMel("audio", RATE, frame=256, hop=128, bands=24, max_seconds=30.0, floor=1e-5)
    silence = 0.005 * np.random.default_rng(1).standard_normal(RATE // 2)
    sounds = [silence, *(tone(letter, 0.4) for letter in LETTERS)]
    heard = [encoder.encode([{"audio": wav_of(sound, RATE)}])["bands"][0][3:-3] for sound in sounds]
    means = np.stack([bands.mean(axis=0) for bands in heard])  # (1 + letters, bands)
    sharpness = 0.05  # found by trial on 50 seeded texts: any from 0.01 to 1 reads them all
    node = helper.make_node
    nodes = [
        node("MatMul", ["bands", "weight"], ["near"]),
        node("Add", ["near", "bias"], ["logits"]),
        node("Unsqueeze", ["ends", "two"], ["times"]),
        node("Concat", ["times", "logits"], ["out"], axis=2),
    ]
    weights = {
        "weight": (2 * sharpness * means.T).astype(np.float32),
        "bias": (-sharpness * (means**2).sum(axis=1)).astype(np.float32),
        "two": np.array([2]),
    }
    shapes = {"bands": (FLOAT, ["rows", "frames", 24]), "ends": (FLOAT, ["rows", "frames"])}
    return predictor(
        "transcription",
        [("audio", Kind.AUDIO)],
        encoder,
        onnx(nodes, shapes, weights),
        None,
        tuple(LETTERS),
    )


THINGS = ("circle", "square", "cross")
SIDE, NOISE = 16, 3


def drawing(thing: str, across: float, down: float, radius: float) -> np.ndarray:
    """One thing in white on black with soft edges, (SIDE, SIDE)."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    x, y = np.abs(x - across), np.abs(y - down)
    distance = {
        "circle": np.hypot(x, y) - radius,
        "square": np.maximum(x, y) - radius,
        "cross": np.maximum(np.minimum(x, y) - radius / 3, np.maximum(x, y) - radius),
    }[thing]
    return np.clip(0.5 - distance, 0.0, 1.0)


def shapes() -> Predictor:
    """A generative model of small drawings: probabilistic principal components of each thing's seeded drawings.

    Source: Tipping and Bishop (1999), Probabilistic principal component analysis, section 3.
    """
    rng = np.random.default_rng(0)
    means, bases = [], []
    for thing in THINGS:
        drawn = [
            drawing(thing, *(7.5 + rng.normal(0, 1, 2)), rng.uniform(3.5, 5.5)).ravel() for _ in range(40)
        ]
        rows = np.stack(drawn)
        _, deviations, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        means.append(rows.mean(axis=0))
        bases.append(directions[:NOISE] * deviations[:NOISE, None] / np.sqrt(len(rows)))
    node = helper.make_node
    nodes = [
        node("Gather", ["means", "thing"], ["mean"]),
        node("Gather", ["bases", "thing"], ["basis"]),
        node("Unsqueeze", ["noise", "one"], ["row"]),
        node("MatMul", ["row", "basis"], ["moved"]),
        node("Squeeze", ["moved", "one"], ["change"]),
        node("Add", ["mean", "change"], ["flat"]),
        node("Clip", ["flat", "black", "white"], ["pixels"]),
        node("Reshape", ["pixels", "shape"], ["out"]),
    ]
    weights = {
        "means": np.stack(means).astype(np.float32),
        "bases": np.stack(bases).astype(np.float32),
        "one": np.array([1]),
        "black": np.array(0, np.float32),
        "white": np.array(1, np.float32),
        "shape": np.array([-1, 1, SIDE, SIDE]),
    }
    inputs = {"thing": (INT, ["rows"]), "noise": (FLOAT, ["rows", NOISE])}
    encoder = Prompts("prompt", THINGS, NOISE, SIDE, SIDE)
    return predictor(
        "image-generation", [("prompt", Kind.TEXT)], encoder, onnx(nodes, inputs, weights), "a circle"
    )


def likest(drawn: np.ndarray) -> str:
    """Which thing a picture looks most like, wherever and however large it is in it."""

    def likeness(thing: str) -> float:
        places = product(np.linspace(5.5, 9.5, 5), np.linspace(5.5, 9.5, 5), (3.5, 4.5, 5.5))
        return max(np.corrcoef(drawn.ravel(), drawing(thing, *place).ravel())[0, 1] for place in places)

    return max(THINGS, key=likeness)


UNWANTED = {"hate": "hate loathe despise", "violence": "hit kill punch", "spam": "buy cheap pills"}


def unwanted() -> Predictor:
    """A multi-label model: two of its labels are OpenAI's categories, one is its own."""
    encoder = Terms.fit(
        [{"text": words} for words in UNWANTED.values()], ["text"], min_documents=1, piece_lengths=(0, 0)
    )
    weight = np.zeros((encoder.term_count, len(UNWANTED)), np.float32)
    for number, term in enumerate(encoder.document_counts):
        for place, words in enumerate(UNWANTED.values()):
            weight[number, place] = 8.0 * (term in words.split())
    runtime = Linear(weight, np.full(len(UNWANTED), -3.0, np.float32))
    columns = [("text", Kind.TEXT)]
    return predictor("multi-label-classification", columns, encoder, runtime, "buy it", tuple(UNWANTED))


def all_models() -> dict[str, Predictor]:
    """Every one of them by the name it is registered under."""
    makers = (meaning, judge, tones, shapes, unwanted)
    return {maker.__name__: maker() for maker in makers}
