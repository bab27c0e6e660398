"""Small hand-made predictors over small made-up data, as real as the ones that recipes make."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset, Source
from servery.models.encoder import Encoder
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime
from servery.models.signature import Signature
from servery.tasks.task import Calibration, Task, find_task

WORDS = {"bad": ["slow", "rude", "差"], "fine": ["okay", "plain", "还行"], "good": ["fast", "kind", "很好"]}


class WordEncoder(Encoder):
    """Counts of a few words."""

    name = "tiny-words"

    def __init__(self, column: str, words: list[str]) -> None:
        self.column, self.words = column, words

    def encode(self, examples, *, cut: bool = False):
        rows = [[str(e[self.column]).count(word) for word in self.words] for e in examples]
        return {"x": np.array(rows, dtype=np.float32)}

    def state(self):
        return {"column": self.column, "words": self.words}

    @classmethod
    def restore(cls, state: dict[str, Any]):
        return cls(state["column"], state["words"])


class NumberEncoder(Encoder):
    """Columns of numbers as they are; a picture counts by its mean brightness."""

    name = "tiny-numbers"

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns

    def encode(self, examples, *, cut: bool = False):
        return {"x": np.array([[_number(e[c]) for c in self.columns] for e in examples], dtype=np.float32)}

    def state(self):
        return {"columns": self.columns}

    @classmethod
    def restore(cls, state: dict[str, Any]):
        return cls(state["columns"])


def _number(value: Any) -> float:
    if isinstance(value, bytes):
        return float(np.asarray(Image.open(io.BytesIO(value)).convert("L")).mean() / 255)
    return float(np.nan_to_num(value))


class Product(Runtime):
    """`x @ weight + bias`."""

    name = "tiny-product"

    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        self.weight, self.bias = weight.astype(np.float32), bias.astype(np.float32)

    def run(self, batch):
        return batch["x"] @ self.weight + self.bias

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int):
        raise NotImplementedError


def predictor(task: Task, dataset: Dataset, labels, encoder, weight, bias, recipe="tiny") -> Predictor:
    signature = Signature(task.name, "tests", dataset.inputs, tuple(labels), dataset.target.name)
    return Predictor(signature, encoder, Product(np.asarray(weight), np.asarray(bias)), Calibration(), recipe)


def dataset_of(columns: dict[str, tuple[Kind, Any]], target: str, name: str = "tiny") -> Dataset:
    described = tuple(
        Column(n, kind, Role.TARGET if n == target else Role.INPUT) for n, (kind, _) in columns.items()
    )
    values = {n: _array(kind, cells) for n, (kind, cells) in columns.items()}
    rows = len(next(iter(values.values())))
    return Dataset(described, values, Source(name, None, "0" * 64), np.arange(2, rows + 2))


def _array(kind: Kind, cells: Any) -> np.ndarray:
    if kind is Kind.NUMBER:
        return np.asarray(cells, dtype=np.float64)
    array = np.empty(len(cells), dtype=object)
    array[:] = list(cells)
    return array


def reviews(rows: int, seed: int, noise: float = 0.25) -> Dataset:
    """Short texts in two languages, each with words of its label and a number that makes it unique."""
    generator = np.random.default_rng([rows, seed])
    truth = generator.choice(list(WORDS), rows, p=[0.2, 0.3, 0.5])
    said = np.where(generator.random(rows) < noise, generator.choice(list(WORDS), rows), truth)
    topics = generator.choice(["服务", "service", "service"], rows)
    texts = [
        f"{generator.choice(WORDS[word])} {topic} {generator.integers(10**9)}"
        for word, topic in zip(said, topics, strict=True)
    ]
    return dataset_of({"review": (Kind.TEXT, texts), "label": (Kind.CATEGORY, truth.tolist())}, "label")


def review_predictor(dataset: Dataset, scale: float = 3.0, recipe: str = "tiny") -> Predictor:
    """Knows the words; with `scale` 0 it knows nothing."""
    words = [word for said in WORDS.values() for word in said]
    weight = np.repeat(np.eye(3), 3, axis=0) * scale
    task = find_task("classification")
    return predictor(task, dataset, sorted(WORDS), WordEncoder("review", words), weight, np.zeros(3), recipe)


def emotions(rows: int, seed: int) -> Dataset:
    """Texts with any number of labels."""
    generator = np.random.default_rng([rows, seed, 7])
    cells, texts = [], []
    for _ in range(rows):
        chosen = tuple(label for label in sorted(WORDS) if generator.random() < 0.35)
        said = [label for label in sorted(WORDS) if (generator.random() < 0.85) == (label in chosen)]
        cells.append(chosen)
        texts.append(" ".join([*(WORDS[label][0] for label in said), str(generator.integers(10**9))]))
    return dataset_of({"text": (Kind.TEXT, texts), "emotions": (Kind.LABELS, cells)}, "emotions")


def emotion_predictor(dataset: Dataset) -> Predictor:
    words = [WORDS[label][0] for label in sorted(WORDS)]
    task = find_task("multi-label-classification")
    return predictor(
        task, dataset, sorted(WORDS), WordEncoder("text", words), np.eye(3) * 4, np.full(3, -2.0)
    )


def credits(rows: int, seed: int) -> Dataset:
    """Table rows with a number, some of them missing, and a category; the rarer label is `default`."""
    generator = np.random.default_rng([rows, seed, 11])
    debt = generator.normal(size=rows)
    chance = 1 / (1 + np.exp(1.2 - 1.5 * debt))
    truth = np.where(generator.random(rows) < chance, "default", "repaid")
    debt[generator.random(rows) < 0.05] = np.nan
    plan = generator.choice(["basic", "gold", "student"], rows).tolist()
    return dataset_of(
        {
            "debt": (Kind.NUMBER, debt),
            "plan": (Kind.CATEGORY, plan),
            "outcome": (Kind.CATEGORY, truth.tolist()),
        },
        "outcome",
    )


def credit_predictor(dataset: Dataset, slope: float = 1.5) -> Predictor:
    task = find_task("classification")
    weight, bias = [[-slope / 2, slope / 2]], [0.6, -0.6]
    return predictor(task, dataset, ("repaid", "default"), NumberEncoder(["debt"]), weight, bias)


def pictures(rows: int, seed: int) -> Dataset:
    """Grey squares, light or dark."""
    generator = np.random.default_rng([rows, seed, 13])
    levels = generator.integers(0, 256, rows)
    encoded = []
    for level in levels:
        written = io.BytesIO()
        noise = np.clip(level + generator.integers(-20, 20, (8, 8)), 0, 255).astype(np.uint8)
        Image.fromarray(noise).save(written, "PNG")
        encoded.append(written.getvalue())
    truth = np.where(levels + generator.normal(0, 40, rows) > 128, "light", "dark")
    return dataset_of({"photo": (Kind.IMAGE, encoded), "tone": (Kind.CATEGORY, truth.tolist())}, "tone")


def picture_predictor(dataset: Dataset) -> Predictor:
    task = find_task("classification")
    return predictor(task, dataset, ("dark", "light"), NumberEncoder(["photo"]), [[-5.0, 5.0]], [2.5, -2.5])
