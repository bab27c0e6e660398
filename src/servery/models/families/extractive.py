"""Summaries made of a text's own sentences, without learning: the first ones, and the most central ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.encoders.utf8 import Utf8
from servery.models.extraction import Extractor
from servery.models.families._assembly import assemble, columns_for, say_left_out
from servery.models.families._measures import mean_characters
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.leading_sentences import LeadingSentences
from servery.models.runtimes.text_rank import TextRank
from servery.tasks.task import Calibration

MOST_CHARACTERS = 100_000
"""Of a text that is read: as many as a request may have."""
COMPARED_ROWS = 400
"""Training rows that the length of a summary is chosen by."""
LENGTHS = (1, 2, 3, 4, 5)
SECONDS_PER_CHARACTER = 1e-6
"""Measured on scitldr-a, for each length that is tried."""


class ExtractiveRecipe(Recipe):
    """Tries some rankings on training rows and keeps the one that agrees best with their references."""

    form = "text"
    tasks = frozenset({"summarization"})
    can_stop_early = False
    reason: ClassVar[str]

    @abstractmethod
    def choices(self, hyperparameters: Mapping[str, Any]) -> list[Extractor]:
        """Return what is tried."""

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the characters."""
        characters = mean_characters(dataset)
        seconds = 0.5 + SECONDS_PER_CHARACTER * characters * (
            len(self.choices(hyperparameters)) * min(len(dataset), COMPARED_ROWS)
        )
        return Cost(
            seconds + 1e-6 * len(dataset),
            int(150 * 2**20 + characters * len(dataset)),
            f"{len(dataset):,} texts",
        )

    def make(self, work: Work) -> Made:
        """Choose how long a summary is."""
        columns = one_text(work.train)
        say_left_out(work, columns)
        encoder = Utf8([column.name for column in columns], MOST_CHARACTERS)
        some = work.train.take(np.arange(min(len(work.train), COMPARED_ROWS)))
        runtime = best_on(work, self.choices(work.hyperparameters), encoder, some)
        work.progress.say("Length", ", ".join(f"{name} {value}" for name, value in runtime.options().items()))
        return Made(assemble(work, self.name, columns, (), encoder, runtime, self.reason))


def one_text(dataset: Dataset) -> tuple[Column, ...]:
    """Return the column of texts.

    Raises:
        DataError: There is none, or more than one: places in a summary would be of no one text.
    """
    columns = columns_for(dataset, frozenset({Kind.TEXT}))
    if len(columns) > 1:
        raise DataError(
            f"A summary is of one text; the inputs are {', '.join(repr(column.name) for column in columns)}.",
            hint="give the columns to leave out the role ignored, e.g. --role title=ignored",
            param="data",
        )
    return columns


def best_on(work: Work, choices: Sequence[Extractor], encoder: Utf8, rows: Dataset) -> Extractor:
    """Return the runtime whose summaries of these rows are the best, the first of equals."""
    if len(choices) == 1:
        return choices[0]
    batch = encoder.encode(list(rows.examples()), cut=True)
    targets = work.task.encode_targets(rows, ())
    scores = [work.task.primary(targets, choice.run(batch), Calibration()) for choice in choices]
    return choices[int(np.argmax(scores))]


class Lead(ExtractiveRecipe):
    """The baseline of all: whoever writes well begins with what matters."""

    name = "lead"
    title = "The beginning"
    summary = (
        "The first sentences or clauses, as many as suit the references: hard to beat on news "
        "(Nenkova 2005, Automatic text summarization of newswire, section 3)."
    )
    defaults = {"unit": "", "count": 0}
    search_space = {"count": LENGTHS}
    reason = "no computation, without torch"

    def choices(self, hyperparameters: Mapping[str, Any]) -> list[Extractor]:
        """Return one to five sentences, then as many clauses; or what the plan says."""
        units = (hyperparameters["unit"],) if hyperparameters["unit"] else ("sentences", "clauses")
        counts = (hyperparameters["count"],) if hyperparameters["count"] else LENGTHS
        return [LeadingSentences(unit, count) for unit in units for count in counts]


class TextRankRecipe(ExtractiveRecipe):
    """No reference is needed but for the length."""

    name = "textrank"
    title = "TextRank"
    summary = "PageRank over sentences that share words (Mihalcea and Tarau 2004, section 4)."
    defaults = {"count": 0, "damping": 0.85, "common_share": 0.5}
    search_space = {"count": LENGTHS, "common_share": (0.3, 0.5, 1.0)}
    reason = "a few products of matrices, without torch"

    def choices(self, hyperparameters: Mapping[str, Any]) -> list[Extractor]:
        """Return one to five sentences, or as many as the plan says."""
        counts = (hyperparameters["count"],) if hyperparameters["count"] else LENGTHS
        return [TextRank(n, hyperparameters["damping"], hyperparameters["common_share"]) for n in counts]


LEAD = Lead()
TEXT_RANK = TextRankRecipe()
