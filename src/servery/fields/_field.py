"""What a field file declares, and how the fields are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable
from servery.data.readers import read_raw
from servery.discovery import instances
from servery.errors import UnknownNameError


@dataclass(frozen=True)
class RecipeChoice:
    """A recipe offered for a question: its name and what it costs and is good for, in one clause."""

    name: str
    note: str


@dataclass(frozen=True)
class Offer:
    """One question that a field answers: what it learns from, how, and what a request looks like.

    Attributes:
        tasks: Names of the tasks that its targets allow, the first is the default.
        form: Form of the inputs: "text", "image", "table" ...
        recipes: From small to large; the first one is the cheap baseline of the others.
        starter_recipe: The one a starter model uses, quick on two cores.
        columns: Column expected, to what it holds, in words.
        sample: Makes the seeded sample, `sample(rows, seed)`; needs no network; `source.is_sample` is true.
        sample_name: What the sample is called as data, where another question of the field has the plain name.
        example: One request's input as plain JSON types.
        known_datasets: Data sets it knows by name, the best first; the starter uses the first that is at hand.
        target: The column to learn where the data has one of that name and the user names no other.
        outside: The label which says that none of the others fits, where the data has it: models abstain then.
        positives: Labels that say that what is looked for is there; where the data has two labels and one is of these,
            that one is positive.
        subgroups: Columns by whose values a report judges the model too, where the data has them.
        kinds: Column name to kind, where the data has such a column and its cells would not tell.
        roles: Column name to role, likewise.
        read: Reads one of the user's files, where it takes more than rows with these columns (a text, COCO).
        carried: Reads the data set that scikit-learn carries for this question, or None if there is none.
        starter_hyperparameters: What differs from the recipe's defaults for the starter.
    """

    tasks: tuple[str, ...]
    form: str
    recipes: tuple[RecipeChoice, ...]
    starter_recipe: str
    columns: Mapping[str, str]
    sample: Callable[[int, int], Dataset]
    example: Any
    known_datasets: tuple[KnownDataset, ...] = ()
    target: str = ""
    outside: str = ""
    positives: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    sample_name: str = "sample"
    kinds: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[Path], RawTable] = read_raw
    carried: Callable[[], Dataset] | None = None
    starter_hyperparameters: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Field:
    """An application field: everything the command line, the console, the docs and the shared tests need of it.

    Attributes:
        name: Its slug, e.g. "sentiment-analysis".
        title: Its title by language ("en", "zh").
        summary: One sentence by language: what question it answers.
        offers: The questions it answers, the first is asked where nobody says otherwise; starters learn it.
        limits_of_use: What its models must not be used for.
        notice: One sentence that goes with every answer of its models; empty for none.
    """

    name: str
    title: Mapping[str, str]
    summary: Mapping[str, str]
    offers: tuple[Offer, ...]
    limits_of_use: str
    notice: str = ""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks of all its offers, each once."""
        return tuple(dict.fromkeys(task for offer in self.offers for task in offer.tasks))

    @property
    def known_datasets(self) -> tuple[KnownDataset, ...]:
        """The data sets that its offers know by name."""
        return tuple(known for offer in self.offers for known in offer.known_datasets)

    def offer_for(self, task: str = "", data: str = "", form: str = "") -> Offer:
        """Return the offer that learns a task from that data, the first where neither says more.

        Args:
            task: Name of a task; empty for any.
            data: What the user named as data; the name of a known data set tells its offer.
            form: Form of the inputs, once the data is read; empty for any.

        Raises:
            UnknownNameError: The field has no such task.
        """
        if task and task not in self.tasks:
            raise UnknownNameError.among(f"task of {self.name}", task, self.tasks)
        fitting = [offer for offer in self.offers if not task or task in offer.tasks]
        knowing = [
            offer
            for offer in fitting
            if data in {known.name for known in offer.known_datasets} | {offer.sample_name}
        ]
        meant = knowing or fitting
        return next((offer for offer in meant if offer.form == form), meant[0])


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
