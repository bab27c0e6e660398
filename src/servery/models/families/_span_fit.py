"""Learns how good a summary a piece of a text is: first guesses about tokens, then trees over all that is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsmr

from servery.errors import TrainingError
from servery.models.document import Document
from servery.models.families._span_worth import SpanWorth
from servery.models.recipe import Work
from servery.models.span_reading import ReadSpans, SpanRules
from servery.models.token_contexts import ROLES, TABLE, TokenTables, contexts, hashed

FOLDS = 4
"""Trees learn from guesses about texts that the guesses were not learned from."""
ROUNDS_OF_GUESSES = 30


@dataclass(frozen=True)
class Lesson:
    """One training text: what stands around its tokens, and what they and its pieces are worth."""

    document: Document
    contexts: Mapping[str, np.ndarray]
    worth: SpanWorth
    of_tokens: Mapping[str, np.ndarray]


def lesson(text: str, references: Sequence[str], longest: int) -> Lesson:
    """Return what there is to learn from a text with at least one sentence."""
    document = Document.of(text)
    worth = SpanWorth(document, references, longest)
    return Lesson(document, contexts(document), worth, worth.of_tokens())


def fit_spans(
    work: Work, lessons: Sequence[Lesson], rules: SpanRules
) -> tuple[TokenTables, lightgbm.Booster]:
    """Return tables and trees.

    Args:
        work: Gives hyperparameters, seed and threads.
        lessons: The training texts.
        rules: Which pieces there are.
    """
    rarity, cohesion = _rarity(lessons), _cohesion(lessons)
    folds = np.random.default_rng(work.seed).permutation(len(lessons)) % FOLDS

    def tables_without(fold: int) -> TokenTables:
        kept = [one for one, of in zip(lessons, folds, strict=True) if of != fold] or list(lessons)
        weights, biases = _guessing(kept, work.hyperparameters["guess_penalty"])
        work.progress.update("Guesses", fold + 1, FOLDS + 1)
        return TokenTables(weights, biases, rarity, cohesion)

    features, worth = [], []
    for fold in range(FOLDS):
        tables = tables_without(fold)
        for place in np.flatnonzero(folds == fold).tolist():
            one = lessons[place]
            read = ReadSpans(one.document, tables, tables.guesses(dict(one.contexts)), rules)
            features.append(read.features)
            worth.append(one.worth.of(read.firsts, read.lasts))
    best = float(np.mean([part.max() for part in worth]))
    work.progress.say(
        "Pieces", f"{sum(map(len, worth)):,}; the best of each text would reach {100 * best:.1f}"
    )
    return tables_without(FOLDS), _trees(work, np.concatenate(features), np.concatenate(worth))


def _guessing(lessons: Sequence[Lesson], penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the contexts, (3, TABLE), and biases, (3,), by ridge regression.

    Source: Fong and Saunders (2011), LSMR: an iterative algorithm for sparse least-squares problems.
    """
    weights, biases = np.zeros((len(ROLES), TABLE), np.float32), np.zeros(len(ROLES), np.float32)
    for number, role in enumerate(ROLES):
        found = np.concatenate([one.contexts[role] for one in lessons])  # (tokens, kinds)
        wanted = np.concatenate([one.of_tokens[role] for one in lessons])
        offsets = np.arange(0, found.size + 1, found.shape[1])
        design = sparse.csr_array(
            (np.ones(found.size, np.float32), found.reshape(-1), offsets), shape=(len(found), TABLE)
        )
        biases[number] = wanted.mean()
        solved = lsmr(design, wanted - wanted.mean(), damp=np.sqrt(penalty), maxiter=ROUNDS_OF_GUESSES)
        weights[number] = solved[0]
    return weights, biases


def _rarity(lessons: Sequence[Lesson]) -> np.ndarray:
    counts = np.zeros(TABLE)
    for one in lessons:
        counts[np.unique(hashed(0, one.document.numbers))] += 1
    return np.asarray(np.log((1 + len(lessons)) / (1 + counts)) + 1, np.float32)


def _cohesion(lessons: Sequence[Lesson]) -> np.ndarray:
    """Return how much more often two neighbours stand together than chance would have it, float32, (TABLE,).

    Source: Church and Hanks (1990), Word association norms, mutual information, and lexicography, section 3.
    """
    numbers = np.concatenate([one.document.numbers for one in lessons])
    _, which, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    times = counts[which.reshape(-1)].astype(np.float64)
    pairs = hashed(1, numbers[:-1], numbers[1:])
    together = np.bincount(pairs, minlength=TABLE)
    expected = np.zeros(TABLE)
    np.add.at(expected, pairs, times[:-1] * times[1:])
    expected /= np.maximum(together, 1) * len(numbers)
    # Seen once, two neighbours are no proof of a word.
    known = together > 1
    found = np.zeros(TABLE)
    found[known] = np.log(together[known] / np.maximum(expected[known], 1e-9))
    return found.astype(np.float32)


def _trees(work: Work, features: np.ndarray, worth: np.ndarray) -> lightgbm.Booster:
    settings: dict[str, Any] = dict(work.hyperparameters)
    options = {
        "objective": "regression",
        "num_leaves": settings["num_leaves"],
        "learning_rate": settings["learning_rate"],
        "min_data_in_leaf": int(np.clip(len(worth) // 500, 2, 100)),
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "num_threads": work.budget.threads,
        "seed": work.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    try:
        return lightgbm.train(options, lightgbm.Dataset(features, worth), int(settings["rounds"]))
    except lightgbm.basic.LightGBMError as error:
        raise TrainingError(f"LightGBM refused this training: {error}.") from error
