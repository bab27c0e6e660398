"""Small parts of the fields' samples, tiny hyperparameters, and a training of every recipe, made once."""

import importlib.util
import runpy
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
from servery.fields._field import Field, Offer, all_fields
from servery.models.predictor import Predictor
from servery.models.recipe import Budget, Made, Recipe, Work
from servery.tasks.task import find_task, learnable
from servery.training.trainer import Trainer


def _gathered(name: str) -> dict[str, Any]:
    """Join what every file under tiny/ says by that name: a family of recipes, a file."""
    found: dict[str, Any] = {}
    for path in sorted(Path(__file__).with_name("tiny").glob("*.py")):
        found |= runpy.run_path(str(path)).get(name, {})
    return found


TINY = _gathered("TINY")
"""Hyperparameters that learn in seconds, by `key_of` a recipe."""
LONGER = _gathered("LONGER")
"""What it takes besides more epochs to learn two dozen rows by heart."""
ENOUGH = _gathered("ENOUGH")
"""What it takes to learn anything from 200 rows, where eight epochs do not."""
SHORTER = _gathered("SHORTER")
"""What makes a training last a second, with everything random in it."""
BY_HEART = _gathered("BY_HEART")
"""Task, or "task/recipe", to the metric and the least value of a model that knows its rows by heart."""


def key_of(recipe: Recipe) -> str:
    """Return "form/recipe" where the recipe answers with labels, else "task/recipe"."""
    is_of_labels = "classification" in recipe.tasks
    return f"{recipe.form if is_of_labels else min(recipe.tasks)}/{recipe.name}"


def offer_of(form: str, task: str) -> tuple[Field, Offer]:
    """Return the first field that asks this of such inputs."""
    offered = [(field, offer) for field in all_fields().values() for offer in field.offers]
    asked = {"multi-label-classification": "classification"}.get(task, task)
    return next((f, o) for f, o in offered if o.form == form and asked in o.tasks)


@cache
def sample(form: str, task: str) -> Dataset:
    dataset = offer_of(form, task)[1].sample(320, 0)
    return _with_labels(dataset) if task == "multi-label-classification" else dataset


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
    hyperparameters = {**recipe.defaults, **TINY[key_of(recipe)], **changes}
    unknown = hyperparameters.keys() - recipe.defaults.keys()
    assert not unknown
    budget = Budget(None, 1)
    loop = Trainer(None, 0, budget, device="cpu")
    field, _ = offer_of(recipe.form, task)
    return Work(learnable(find_task(task)), field.name, train, validation, hyperparameters, 0, budget, loop)


@cache
def made(recipe: Recipe, task: str) -> Made:
    """Train once on 200 rows of the sample, for all tests that only look."""
    rows = sample(recipe.form, task)
    epochs = {"epochs": 8} if "epochs" in recipe.defaults else {}
    epochs |= ENOUGH.get(key_of(recipe), {})
    train, validation = rows.take(np.arange(200)), rows.take(np.arange(200, 260))
    return recipe.make(work_for(recipe, task, train, validation, **epochs))


@pytest.fixture(scope="session")
def tiny() -> Callable[[str, Recipe], dict[str, Any]]:
    """What the files under tiny/ say of a recipe by a name: LONGER, SHORTER."""
    return lambda name, recipe: {"LONGER": LONGER, "SHORTER": SHORTER}[name].get(key_of(recipe), {})


@pytest.fixture(scope="session")
def by_heart() -> dict[str, tuple[str, float]]:
    return BY_HEART


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
