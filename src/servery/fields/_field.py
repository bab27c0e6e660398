"""What a field file declares, and how the fields are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.discovery import instances
from servery.errors import UnknownNameError


@dataclass(frozen=True)
class RecipeChoice:
    """A recipe offered by a field: its name and what it costs and is good for, in one clause."""

    name: str
    note: str


@dataclass(frozen=True)
class Field:
    """An application field: everything the command line, the console, the docs and the shared tests need of it.

    Attributes:
        name: Its slug, e.g. "sentiment-analysis".
        title: Its title by language ("en", "zh").
        summary: One sentence by language: what question it answers.
        tasks: Names of its tasks, the first is the default.
        form: Form of the inputs: "text", "image", "table".
        recipes: From small to large.
        starter_recipe: The one the starter model uses, quick on two cores.
        starter_hyperparameters: What differs from the recipe's defaults for the starter.
        columns: Column expected, to what it holds, in words.
        known_datasets: Data sets it knows by name, the best first; the starter uses the first that is at hand.
        carried: Reads the data set that scikit-learn carries for this field, or None if there is none.
        sample: Makes the seeded sample, `sample(rows, seed)`; needs no network; `source.is_sample` is true.
        example: One request's input as plain JSON types.
        limits_of_use: What its models must not be used for.
    """

    name: str
    title: Mapping[str, str]
    summary: Mapping[str, str]
    tasks: tuple[str, ...]
    form: str
    recipes: tuple[RecipeChoice, ...]
    starter_recipe: str
    columns: Mapping[str, str]
    known_datasets: tuple[KnownDataset, ...]
    sample: Callable[[int, int], Dataset]
    example: Any
    limits_of_use: str
    carried: Callable[[], Dataset] | None = None
    starter_hyperparameters: Mapping[str, Any] | None = None


def all_fields() -> dict[str, Field]:
    """Return every field by name."""
    return {field.name: field for field in instances("servery.fields", Field)}


def find_field(name: str) -> Field:
    """Return the field of that name.

    Raises:
        UnknownNameError: There is none.
    """
    fields = all_fields()
    if name not in fields:
        raise UnknownNameError.among("field", name, fields)
    return fields[name]
