"""TF-IDF and logistic regression: the text baseline that is hard to beat, trained in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.models.encoders.terms import Terms
from servery.models.families._assembly import LABEL_TASKS, assemble, columns_for, say_left_out
from servery.models.families._logistic_fit import fit_logistic
from servery.models.families._measures import label_count_of, mean_characters
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.linear import Linear
from servery.progress import Silence

TERMS_PER_CHARACTER = 3.0
"""Words, pairs and pieces of 2 to 5 characters, counted on goemotions."""
SECONDS_PER_TERM = 1.5e-6
"""Of finding and weighing one term, measured on one core."""
SECONDS_PER_PRODUCT = 2.5e-9
"""Of one entry and label in one iteration, measured on one core."""


TUNING_ROWS = 3_000
"""Rows that settle what is left open: enough to tell, few enough to cost a fraction of the fit."""
TUNING_ITERATIONS = 25
"""Of these fits: their order is clear long before they converge."""
CANDIDATES: Mapping[bool, tuple[float, ...]] = {True: (0.3, 1.0, 3.0), False: (3.0, 30.0)}
"""With and without naive Bayes: inverse penalties worth trying."""


class TfidfLinear(Recipe):
    """Weighted term counts, then one weight a term and label."""

    name = "tfidf-linear"
    title = "TF-IDF and a linear model"
    summary = (
        "Logistic regression on TF-IDF of words, pairs of words and pieces of words, with naive Bayes ratios "
        "(Wang and Manning 2012, section 2)."
    )
    form = "text"
    tasks = LABEL_TASKS
    can_stop_early = False  # the fit can, but counting the terms takes the larger half
    defaults = {
        "phrase_length": 2,
        "shortest_piece": 2,
        "longest_piece": 5,
        "min_documents": 2,
        "min_piece_documents": 5,
        "max_terms": 200_000,
        "naive_bayes": None,
        "inverse_penalty": 0.0,
        "class_weights": "none",
        "max_iterations": 100,
    }
    search_space = {
        "inverse_penalty": (0.1, 0.3, 1.0, 3.0),
        "naive_bayes": (True, False),
        "longest_piece": (0, 4, 5),
        "class_weights": ("none", "balanced"),
    }

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the characters, the labels and the iterations."""
        characters = mean_characters(dataset)
        terms = len(dataset) * characters * (TERMS_PER_CHARACTER if hyperparameters["longest_piece"] else 0.5)
        labels = label_count_of(dataset)
        tuning = 0 if hyperparameters["inverse_penalty"] and hyperparameters["naive_bayes"] is not None else 50
        products = terms * labels * (hyperparameters["max_iterations"] + tuning)
        seconds = 1.0 + 2 * terms * SECONDS_PER_TERM + products * SECONDS_PER_PRODUCT
        return Cost(
            seconds,
            int(200 * 2**20 + 40 * terms),
            f"{len(dataset):,} texts of {characters:.0f} characters, {labels} labels",
        )

    def make(self, work: Work) -> Made:
        """Learn the terms, then the weights."""
        columns, settings = columns_for(work.train, frozenset({Kind.TEXT})), work.hyperparameters
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = Terms.fit(
            examples,
            [column.name for column in columns],
            phrase_length=settings["phrase_length"],
            piece_lengths=(settings["shortest_piece"], settings["longest_piece"]),
            min_documents=settings["min_documents"],
            min_piece_documents=settings["min_piece_documents"],
            max_terms=settings["max_terms"],
        )
        work.progress.say("Encode", f"{encoder.term_count:,} terms")
        labels = work.task.labels_of(work.train)
        x = _matrix(encoder, examples)
        targets = work.task.encode_targets(work.train, labels)
        chosen = _chosen(work, encoder, x, targets, labels)
        learned = fit_logistic(x, targets, len(labels), chosen)
        runtime = Linear(learned.weight, learned.bias)
        predictor = assemble(work, self.name, columns, labels, encoder, runtime, "one product in numpy")
        return Made(predictor, learned.history, learned.stopped)


def _matrix(encoder: Terms, examples: Sequence[Mapping[str, Any]]) -> sparse.csr_array:
    batch = encoder.encode(examples, cut=True)
    parts = (batch["values"].astype(np.float64), batch["indices"], batch["offsets"])
    return sparse.csr_array(parts, shape=(len(examples), encoder.term_count))


def _chosen(
    work: Work, encoder: Terms, x: sparse.csr_array, targets: np.ndarray, labels: Sequence[str]
) -> Work:
    """Settle what the plan leaves open: with or without naive Bayes, and the penalty, by fits on some of the rows."""
    bayes, penalty = work.hyperparameters["naive_bayes"], work.hyperparameters["inverse_penalty"]
    pairs = [
        (has_bayes, inverse_penalty)
        for has_bayes, candidates in CANDIDATES.items()
        for inverse_penalty in ((penalty,) if penalty else candidates)
        if bayes is None or bayes is has_bayes
    ]
    works = [
        replace(
            work,
            hyperparameters={**work.hyperparameters, "naive_bayes": has_bayes, "inverse_penalty": inverse},
        )
        for has_bayes, inverse in pairs
    ]
    if len(works) == 1:
        return works[0]
    generator = np.random.default_rng(work.seed)
    rows = np.sort(generator.permutation(len(targets))[:TUNING_ROWS])
    few = work.validation.take(np.sort(generator.permutation(len(work.validation))[:TUNING_ROWS]))
    judged, wanted = _matrix(encoder, list(few.examples())), work.task.encode_targets(few, labels)
    scores = []
    for candidate in works:
        few_steps = {**candidate.hyperparameters, "max_iterations": TUNING_ITERATIONS}
        brief = replace(candidate, hyperparameters=few_steps, progress=Silence())
        fitted = fit_logistic(x[rows], targets[rows], len(labels), brief)
        outputs = (judged @ fitted.weight + fitted.bias).astype(np.float32)
        scores.append(work.task.primary(wanted, outputs, work.task.calibrate(wanted, outputs)))
    best = int(np.argmax(scores))
    work.progress.say(
        "Choice",
        f"{'with' if pairs[best][0] else 'without'} naive Bayes, inverse_penalty {pairs[best][1]:g}: "
        f"{scores[best]:.3f} on validation, learned from {len(rows):,} rows",
    )
    return works[best]


TFIDF_LINEAR = TfidfLinear()
