"""Folds: even, whole groups, no copy on both sides; and what is measured on them."""

import json

import evaluation_tiny as tiny
import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.errors import DataError
from servery.evaluation.cross_validation import CrossValidation, assign_folds, cross_validate


def make(train, validation):
    return tiny.review_predictor(train)


def test_every_row_is_judged_once_by_a_model_that_never_saw_it():
    dataset = tiny.reviews(120, 0)
    seen = []

    def recording(train, validation):
        texts = set(train["review"]) | set(validation["review"])
        seen.append(len(texts))
        assert not set(train["review"]) & set(validation["review"])
        return make(train, validation)

    found = cross_validate(recording, dataset, folds=5, seed=0)
    assert sum(found.rows) == 120
    assert seen == [120 - rows for rows in found.rows]


def test_mean_and_deviation_are_those_of_the_folds():
    found = cross_validate(make, tiny.reviews(200, 0), folds=4, seed=0)
    values = [fold["macro_f1"] for fold in found.folds]
    assert found.mean["macro_f1"] == pytest.approx(np.mean(values))
    assert found.deviation["macro_f1"] == pytest.approx(np.std(values, ddof=1))
    assert dict(found.headline())["macro_f1"].endswith("over 4 folds")
    assert CrossValidation.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_progress_hears_of_every_fold():
    said = []

    class Listener:
        def update(self, stage, done, total, note=""):
            said.append(done)

        def say(self, heading, text):
            said.append(heading)

    cross_validate(make, tiny.reviews(60, 0), folds=2, seed=0, progress=Listener())
    assert said == [0, "Fold 1", 1, "Fold 2", 2]


def test_labels_are_spread_evenly():
    dataset = tiny.reviews(203, 0)
    fold_of, _ = assign_folds(dataset, 5, seed=0)
    for label in set(dataset["label"]):
        counts = np.bincount(fold_of[dataset["label"] == label], minlength=5)
        assert np.ptp(counts) <= 1
    assert np.ptp(np.bincount(fold_of)) <= 3


def test_several_labels_are_spread_by_the_rarest():
    dataset = tiny.emotions(100, 0)
    dataset["emotions"][:10] = [("bad", "rare")] * 10
    fold_of, _ = assign_folds(dataset, 5, seed=0)
    assert np.bincount(fold_of[:10], minlength=5).tolist() == [2] * 5


def test_rows_of_a_group_stay_together():
    dataset = tiny.credits(100, 0)
    columns = [Column("plan", Kind.CATEGORY, Role.GROUP) if c.name == "plan" else c for c in dataset.columns]
    fold_of, grouping = assign_folds(dataset.with_columns(columns), 3, seed=0)
    for plan in set(dataset["plan"]):
        assert len(set(fold_of[dataset["plan"] == plan])) == 1
    assert grouping == "rows of the same plan kept together"


def test_copies_of_a_row_stay_together():
    dataset = tiny.reviews(60, 0)
    twice = dataset.take(np.tile(np.arange(60), 2))
    fold_of, _ = assign_folds(twice, 4, seed=0)
    assert (fold_of[:60] == fold_of[60:]).all()


def test_equal_seeds_give_equal_folds():
    dataset = tiny.reviews(60, 0)
    assert (assign_folds(dataset, 4, 1)[0] == assign_folds(dataset, 4, 1)[0]).all()
    assert (assign_folds(dataset, 4, 1)[0] != assign_folds(dataset, 4, 2)[0]).any()


@pytest.mark.parametrize("folds", [1, 61])
def test_too_few_and_too_many_folds_are_refused(folds):
    with pytest.raises(DataError, match="there can be 2 to"):
        assign_folds(tiny.reviews(60, 0), folds, 0)


def test_what_is_no_cross_validation_is_refused():
    with pytest.raises(DataError, match="no cross-validation"):
        CrossValidation.from_dict({})
