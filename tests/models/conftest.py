"""Small parts of the fields' samples, tiny hyperparameters, and a training of every recipe, made once."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.fields.computer_vision import FIELD as PICTURES
from servery.fields.financial_risk import FIELD as TABLES
from servery.fields.sentiment_analysis import FIELD as TEXTS
from servery.models.predictor import Predictor
from servery.models.recipe import Budget, Made, Recipe, Work
from servery.tasks.task import find_task
from servery.training.trainer import Trainer

FIELDS = {"text": TEXTS, "image": PICTURES, "table": TABLES}
TRAINING = {"batch_size": 16, "average_decay": 0.0, "patience": 50, "learning_rate": 5e-3}
NO_NOISE = {"dropout": 0.0}
TEXT = {
    **TRAINING,
    **NO_NOISE,
    "learning_rate": 1e-2,
    "vocabulary_size": 500,
    "embedding_size": 16,
    "token_dropout": 0.0,
    "embedding_dropout": 0.0,
}
PICTURE = {**TRAINING, **NO_NOISE, "augmentation": "none", "flip": "none"}
TINY: dict[str, dict[str, Any]] = {
    "text/tfidf-linear": {"inverse_penalty": 10.0, "min_piece_documents": 2},
    "text/mlp": {**TEXT, "hidden_size": 16, "learning_rate": 3e-2},
    "text/rnn": {**TEXT, "hidden_size": 16},
    "text/lstm": {**TEXT, "hidden_size": 16},
    "text/gru": {**TEXT, "hidden_size": 16},
    "text/cnn": {**TEXT, "filters": 16},
    "text/transformer": {**TEXT, "num_layers": 1, "heads": 2, "head_dropout": 0.0},
    "image/mlp": {**PICTURE, "learning_rate": 2e-3},
    "image/cnn": {**PICTURE, "widths": [8, 16], "block_dropout": 0.0, "label_smoothing": 0.0},
    "table/logistic": {"inverse_penalty": 100.0},
    "table/mlp": {**TRAINING, **NO_NOISE, "hidden_sizes": [32], "learning_rate": 1e-2},
    "table/gradient-boosting": {"bags": 1, "l2": 0.0, "rounds": 60, "learning_rate": 0.2, "patience": 60},
}


@cache
def sample(form: str, task: str) -> Dataset:
    dataset = FIELDS[form].sample(320, 0)
    return dataset if task == "classification" else _with_labels(dataset)


def _with_labels(dataset: Dataset) -> Dataset:
    """Turn a row's one label into a tuple of it and, in every second row of a class, a label of the class's rank."""
    target = dataset.target
    first = sorted(set(dataset[target.name]))[0]
    cells = np.empty(len(dataset), object)
    for row, label in enumerate(dataset[target.name]):
        cells[row] = (label, "first") if label == first else (label,)
    columns = tuple(
        replace(c, kind=Kind.LABELS, categories=()) if c.role is Role.TARGET else c for c in dataset.columns
    )
    return replace(dataset, columns=columns, values={**dataset.values, target.name: cells})


def work_for(recipe: Recipe, task: str, train: Dataset, validation: Dataset, **changes: Any) -> Work:
    hyperparameters = {**recipe.defaults, **TINY[f"{recipe.form}/{recipe.name}"], **changes}
    unknown = hyperparameters.keys() - recipe.defaults.keys()
    assert not unknown
    budget = Budget(None, 1)
    loop = Trainer(None, 0, budget, device="cpu")
    return Work(
        find_task(task), FIELDS[recipe.form].name, train, validation, hyperparameters, 0, budget, loop
    )


@cache
def made(recipe: Recipe, task: str) -> Made:
    """Train once on 200 rows of the sample, for all tests that only look."""
    rows = sample(recipe.form, task)
    epochs = {"epochs": 8} if "epochs" in recipe.defaults else {}
    train, validation = rows.take(np.arange(200)), rows.take(np.arange(200, 260))
    return recipe.make(work_for(recipe, task, train, validation, **epochs))


@pytest.fixture(scope="session")
def make_work() -> Callable[..., Work]:
    return work_for


@pytest.fixture(scope="session")
def field_sample() -> Callable[[str, str], Dataset]:
    return sample


@pytest.fixture(scope="session")
def trained() -> Callable[[Recipe, str], Made]:
    return made


@pytest.fixture(scope="session")
def scribes() -> ModuleType:
    """The house's maker of tiny language models."""
    path = Path(__file__).parents[1] / "gateway" / "rooms" / "scribe.py"
    spec = importlib.util.spec_from_file_location("servery_test_scribe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def scribe(scribes: ModuleType) -> Predictor:
    """The tiny language model."""
    made: Predictor = scribes.scribe()
    return made


@pytest.fixture
def number_column() -> Callable[[str], Column]:
    return lambda name: Column(name, Kind.NUMBER, Role.INPUT)
