"""Language detection without training: the library lingua brings 75 languages along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.encoders.utf8 import Utf8
from servery.models.families._assembly import assemble, columns_for, say_left_out
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.lingua import ACCURACIES, UNDETERMINED, Lingua, known_languages

SECONDS_PER_TEXT = 0.001
BYTES = {"high": 1000 * 2**20, "low": 120 * 2**20}
"""Of the process once every language was needed, measured."""


class LinguaRecipe(Recipe):
    """The training rows only say which languages there are, where one asks for no others."""

    name = "lingua"
    title = "lingua"
    summary = (
        "Runs of one to five characters of 75 languages, from the library lingua 2.1; nothing is trained."
    )
    form = "text"
    tasks = frozenset({"language-identification"})
    can_stop_early = False
    defaults = {"accuracy": "high", "languages": "all"}
    search_space = {"accuracy": ACCURACIES, "languages": ("all", "data")}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the number of texts: each is read once, to judge."""
        accuracy = hyperparameters["accuracy"]
        seconds = (12.0 if accuracy == "high" else 1.0) + SECONDS_PER_TEXT * len(dataset)
        return Cost(
            seconds,
            BYTES.get(accuracy, BYTES["high"]) + 500 * len(dataset),
            f"{len(dataset):,} texts to judge by",
        )

    def make(self, work: Work) -> Made:
        """Choose the languages.

        Raises:
            DataError: A hyperparameter has no such value.
            MissingExtraError: The library is not installed.
        """
        columns, settings = columns_for(work.train, frozenset({Kind.TEXT})), work.hyperparameters
        say_left_out(work, columns)
        for name, values in self.search_space.items():
            if settings[name] not in values:
                raise DataError(
                    f"lingua: {name} is {settings[name]!r}; it must be {' or '.join(values)}.", param=name
                )
        labels = [*known_languages(), UNDETERMINED]
        if settings["languages"] == "data":
            present = set(work.train[work.train.target.name])
            labels = [label for label in labels if label in present or label == UNDETERMINED]
        work.task.encode_targets(work.train, labels)  # an unknown code is told before anything is made
        runtime = Lingua(labels, settings["accuracy"])
        encoder = Utf8([column.name for column in columns])
        reason = "lingua, a library without torch"
        return Made(assemble(work, self.name, columns, tuple(labels), encoder, runtime, reason))


LINGUA = LinguaRecipe()
