"""The baseline of relation extraction: words by region, and one weight a word and relation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from servery.data.dataset import Dataset
from servery.models.encoders.marked_terms import MarkedTerms
from servery.models.families._assembly import assemble, say_left_out
from servery.models.families._logistic_fit import fit_logistic
from servery.models.families._measures import label_count_of
from servery.models.families._relations import FORM, TASKS, marked_column, mean_words
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.linear import Linear

SECONDS_PER_WORD = 2e-4
"""Of one word with its pieces and phrases, in finding and in fitting, measured on semeval2010-task8."""


class RelationLinear(Recipe):
    """Counts of words, phrases and pieces of words by region, logistic regression."""

    name = "tfidf-linear"
    title = "Words by region and a linear model"
    summary = (
        "Logistic regression on TF-IDF of the entities' words and those beside and between them "
        "(Rink and Harabagiu 2010, section 2.1)."
    )
    form = FORM
    tasks = TASKS
    can_stop_early = False
    defaults: ClassVar[Mapping[str, Any]] = {
        "phrase_length": 3,
        "shortest_piece": 2,
        "longest_piece": 5,
        "min_documents": 2,
        "min_piece_documents": 3,
        "max_terms": 200_000,
        "naive_bayes": False,
        "inverse_penalty": 30.0,
        "class_weights": "none",
        "max_iterations": 100,
    }
    search_space = {"inverse_penalty": (3.0, 10.0, 30.0), "longest_piece": (0, 4, 5)}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the words that are read and the labels."""
        words, labels = mean_words(dataset, 3), label_count_of(dataset)
        seconds = 1.0 + SECONDS_PER_WORD * words * len(dataset) * (1 + labels / 20)
        memory = 200 * 2**20 + int(600 * words * len(dataset))
        return Cost(seconds, memory, f"{len(dataset):,} texts of which {words:.0f} words are read")

    def make(self, work: Work) -> Made:
        """Learn the terms, then the weights."""
        columns, settings = marked_column(work.train), work.hyperparameters
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = MarkedTerms.fit(
            examples,
            columns[0].name,
            phrase_length=settings["phrase_length"],
            piece_lengths=(settings["shortest_piece"], settings["longest_piece"]),
            min_documents=settings["min_documents"],
            min_piece_documents=settings["min_piece_documents"],
            max_terms=settings["max_terms"],
        )
        labels = work.task.labels_of(work.train)
        batch = encoder.encode(examples, cut=True)
        parts = (batch["values"].astype(np.float64), batch["indices"], batch["offsets"])
        x = sparse.csr_array(parts, shape=(len(examples), encoder.terms.term_count))
        learned = fit_logistic(x, work.task.encode_targets(work.train, labels), len(labels), work)
        runtime = Linear(learned.weight, learned.bias)
        predictor = assemble(work, self.name, columns, labels, encoder, runtime, "one product in numpy")
        return Made(predictor, learned.history, learned.stopped)


RELATION_LINEAR = RelationLinear()
