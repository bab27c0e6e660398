"""The baseline of commands: TF-IDF and linear models for the intent and for what is meant, no slots in the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.models.encoders.terms import Terms
from servery.models.families._assembly import assemble, columns_for, say_left_out
from servery.models.families._commands import TASKS
from servery.models.families._logistic_fit import LogisticFit, fit_logistic
from servery.models.families._measures import mean_characters
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.linear import Linear
from servery.tasks._frames import FrameLabels

SECONDS_PER_CHARACTER = 2e-5
"""Of one character with its terms, in finding and in fitting, measured on home-commands-en-zh."""


class CommandLinear(Recipe):
    """One logistic regression over the intents, one a value that may be meant."""

    name = "tfidf-linear"
    title = "TF-IDF and linear models"
    summary = (
        "Logistic regression on TF-IDF of words, phrases and pieces of words tells the intent and what is meant "
        "without being said; it fills no slot from the text (Larson et al. 2019, section 4, for such baselines)."
    )
    form = "text"
    tasks = TASKS
    can_stop_early = False
    defaults: ClassVar[Mapping[str, Any]] = {
        "phrase_length": 2,
        "shortest_piece": 2,
        "longest_piece": 5,
        "max_terms": 100_000,
        "naive_bayes": False,
        "inverse_penalty": 30.0,
        "class_weights": "none",
        "max_iterations": 100,
    }
    search_space = {"inverse_penalty": (3.0, 10.0, 30.0, 100.0), "phrase_length": (1, 2, 3)}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the characters."""
        characters = mean_characters(dataset) * len(dataset)
        memory = 200 * 2**20 + int(400 * characters)
        return Cost(1.0 + SECONDS_PER_CHARACTER * characters, memory, f"{len(dataset):,} texts")

    def make(self, work: Work) -> Made:
        """Learn the terms, then the weights of both models."""
        columns, settings = columns_for(work.train, frozenset({Kind.TEXT})), work.hyperparameters
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = Terms.fit(
            examples,
            [column.name for column in columns],
            phrase_length=settings["phrase_length"],
            piece_lengths=(settings["shortest_piece"], settings["longest_piece"]),
            min_documents=1,
            min_piece_documents=2,
            max_terms=settings["max_terms"],
        )
        labels = work.task.labels_of(work.train)
        frames = FrameLabels.of(labels)
        wanted = work.task.encode_targets(work.train, labels)
        batch = encoder.encode(examples, cut=True)
        parts = (batch["values"].astype(np.float64), batch["indices"], batch["offsets"])
        x = sparse.csr_array(parts, shape=(len(examples), encoder.term_count))
        intents = fit_logistic(x, np.array([one.intent for one in wanted]), len(frames.intents), work)
        fits = [intents]
        if frames.meant:
            meant = np.zeros((len(wanted), len(frames.meant)), np.float32)
            for row, one in enumerate(wanted):
                meant[row, one.meant] = 1.0
            fits.append(fit_logistic(x, meant, len(frames.meant), work))
        runtime = _joined(fits)
        predictor = assemble(work, self.name, columns, labels, encoder, runtime, "one product in numpy")
        return Made(predictor, intents.history, intents.stopped)


def _joined(fits: list[LogisticFit]) -> Linear:
    return Linear(
        np.concatenate([fit.weight for fit in fits], axis=1), np.concatenate([fit.bias for fit in fits])
    )


COMMAND_LINEAR = CommandLinear()
