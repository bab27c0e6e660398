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


TUNING_DECISIONS = 400_000
"""Rows times labels that settle what is left open: enough to tell, few enough to cost a fraction of the fit."""
TUNING_ITERATIONS = 20
"""Of these fits: their order is clear long before they converge."""
MARK_WORDS = 2
"""By how many words phrases grow where one text is marked in another: marks count as words."""
UNEVEN = 3
"""Times that a label is more frequent than another, from which on weights are tried."""
CANDIDATES: tuple[Mapping[str, Any], ...] = (
    {"naive_bayes": True, "loss": "log", "inverse_penalty": 0.3},
    {"naive_bayes": True, "loss": "log", "inverse_penalty": 1.0},
    {"naive_bayes": True, "loss": "log", "inverse_penalty": 3.0},
    {"naive_bayes": False, "loss": "log", "inverse_penalty": 3.0},
    {"naive_bayes": False, "loss": "log", "inverse_penalty": 30.0},
    {"naive_bayes": False, "loss": "squares", "inverse_penalty": 1.0},
)
"""What is tried where the plan leaves it open."""
SMALL = 10_000
"""Texts up to which a term in a single one counts: there it is more often a hint than noise."""


class TfidfLinear(Recipe):
    """Weighted term counts, then one weight a term and label."""

    name = "tfidf-linear"
    title = "TF-IDF and a linear model"
    summary = (
        "Logistic or ridge regression on TF-IDF of words, pairs of words and pieces of words, with naive Bayes ratios "
        "where they help (Wang and Manning 2012, section 2)."
    )
    form = "text"
    tasks = LABEL_TASKS
    can_stop_early = False  # the fit can, but counting the terms takes the larger half
    defaults = {
        "phrase_length": 2,
        "shortest_piece": 2,
        "longest_piece": 5,
        "min_documents": 0,
        "min_piece_documents": 5,
        "max_terms": 200_000,
        "naive_bayes": None,
        "loss": "",
        "inverse_penalty": 0.0,
        "class_weights": "none",
        "max_iterations": 100,
        "tolerance": 1e-5,
    }
    search_space = {
        "inverse_penalty": (0.1, 0.3, 1.0, 3.0),
        "naive_bayes": (True, False),
        "loss": ("log", "squares"),
        "longest_piece": (0, 4, 5),
        "class_weights": ("none", "root", "balanced"),
    }

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the characters, the labels and the iterations."""
        characters = mean_characters(dataset)
        terms = len(dataset) * characters * (TERMS_PER_CHARACTER if hyperparameters["longest_piece"] else 0.5)
        labels = label_count_of(dataset)
        choices = len(_candidates(hyperparameters, dataset.target.kind is Kind.LABELS))
        tuning = TUNING_ITERATIONS * choices // 2 if choices > 1 else 0  # on some of the rows
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
            phrase_length=settings["phrase_length"] + (MARK_WORDS if len(columns) > 1 else 0),
            piece_lengths=(settings["shortest_piece"], settings["longest_piece"]),
            min_documents=settings["min_documents"] or (1 if len(examples) <= SMALL else 2),
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
    """Settle what the plan leaves open by short fits on some of the rows, the best on validation.

    First loss, penalty and whether with naive Bayes, then whether rare labels weigh more.
    """
    open_ones = _candidates(work.hyperparameters, targets.ndim == 2)
    if len(open_ones) == 1:
        return _with(work, open_ones[0])
    generator = np.random.default_rng(work.seed)
    most = TUNING_DECISIONS // len(labels)
    rows = np.sort(generator.permutation(len(targets))[:most])
    few = work.validation.take(np.sort(generator.permutation(len(work.validation))[:most]))
    judged, wanted = _matrix(encoder, list(few.examples())), work.task.encode_targets(few, labels)
    some, known = x[rows], targets[rows]

    def score(settings: Mapping[str, Any]) -> float:
        brief = _with(work, {**settings, "max_iterations": TUNING_ITERATIONS})
        fitted = fit_logistic(some, known, len(labels), replace(brief, progress=Silence()))
        outputs = (judged @ fitted.weight + fitted.bias).astype(np.float32)
        return work.task.primary(wanted, outputs, work.task.calibrate(wanted, outputs))

    scored = [(score(settings), settings) for settings in open_ones]
    best = max(scored, key=lambda pair: pair[0])
    if work.hyperparameters["class_weights"] == "none" and _is_uneven(targets):
        weighted = {**best[1], "class_weights": "root"}
        best = max(best, (score(weighted), weighted), key=lambda pair: pair[0])
    words = ", ".join(f"{name} {value}" for name, value in best[1].items())
    work.progress.say("Choice", f"{words}: {best[0]:.3f} on validation, from {len(rows):,} rows")
    return _with(work, best[1])


def _candidates(hyperparameters: Mapping[str, Any], has_several: bool) -> list[dict[str, Any]]:
    """Return the candidates with what the plan sets in place of theirs, each once."""
    named = {name: hyperparameters[name] for name in CANDIDATES[0]}
    asked = {name: value for name, value in named.items() if value is False or value}
    # Squares have no place for thresholds on chances, which several labels a row need.
    tried = [c for c in CANDIDATES if not has_several or c["loss"] == "log"]
    merged = [{**candidate, **asked} for candidate in tried]
    return [candidate for place, candidate in enumerate(merged) if candidate not in merged[:place]]


def _is_uneven(targets: np.ndarray) -> bool:
    """Whether one label is far more frequent than another."""
    if targets.ndim == 2:  # thresholds do there what weights would
        return False
    counts = np.bincount(targets)
    return bool(counts.max() > UNEVEN * counts[counts > 0].min())


def _with(work: Work, settings: Mapping[str, Any]) -> Work:
    return replace(work, hyperparameters={**work.hyperparameters, **settings})


TFIDF_LINEAR = TfidfLinear()
