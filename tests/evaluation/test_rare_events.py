"""Where the label that is looked for is rare, the average precision decides."""

import numpy as np
import pytest

from servery.evaluation.evaluate import evaluate
from servery.fields.financial_risk import sample
from servery.models.recipe import Budget, Work, find_recipe
from servery.tasks.classification import CLASSIFICATION


def with_few_defaults(dataset, share):
    """Return the rows with only so many of the defaults."""
    is_bad = np.array([value == "yes" for value in dataset["defaulted"]])
    bad = np.flatnonzero(is_bad)[: int(share * (~is_bad).sum())]
    return dataset.take(np.sort(np.concatenate([np.flatnonzero(~is_bad), bad])))


@pytest.mark.parametrize(("share", "primary"), [(0.03, "average_precision"), (0.2, "macro_f1")])
def test_the_share_in_training_decides_which_metric_does(share, primary):
    train, test = with_few_defaults(sample(1500, 0), share), with_few_defaults(sample(800, 1), share)
    recipe = find_recipe("logistic", "table", "classification")
    work = Work(
        CLASSIFICATION, "financial-risk", train, train, dict(recipe.defaults), 0, Budget(None, 1), loop=None
    )
    evaluation = evaluate(recipe.make(work).predictor, test, train)
    assert evaluation.primary_metric == primary
    assert evaluation.primary.value > evaluation.comparisons[0].value
    if primary == "average_precision":
        rare = np.mean([value == "yes" for value in test["defaulted"]])
        assert evaluation.comparisons[0].value == pytest.approx(rare)


def test_a_test_part_without_the_rare_label_is_measured_all_the_same():
    train = with_few_defaults(sample(1500, 0), 0.03)
    recipe = find_recipe("logistic", "table", "classification")
    work = Work(
        CLASSIFICATION, "financial-risk", train, train, dict(recipe.defaults), 0, Budget(None, 1), loop=None
    )
    predictor = recipe.make(work).predictor
    none = with_few_defaults(sample(300, 1), 0.0)
    assert evaluate(predictor, none, train).primary.value == 0.0
