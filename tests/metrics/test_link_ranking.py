"""Ranks and thresholds of link prediction, against hand-worked cases."""

import numpy as np
import pytest

from servery.metrics.link_ranking import best_threshold, ranking_metrics, ranks_of


def test_a_tie_gets_the_middle_of_the_places_it_shares() -> None:
    assert ranks_of(np.array([0, 3]), np.array([4, 1])).tolist() == [3.0, 4.5]


def test_hits_and_reciprocal_ranks_of_five_answers() -> None:
    found = ranking_metrics(np.array([1.0, 2.0, 3.0, 4.0, 20.0]))
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 20) / 5)
    assert (found["hits_at_1"], found["hits_at_3"], found["hits_at_10"]) == (0.2, 0.6, 0.8)
    assert found["mean_rank"] == 6.0


def test_no_rank_is_measured_as_nothing() -> None:
    assert set(ranking_metrics(np.empty(0)).values()) == {0.0}


def test_a_threshold_is_right_as_often_as_any_could_be() -> None:
    chance = np.random.default_rng(0)
    scores, truth = chance.normal(size=80), chance.random(80) < 0.5
    scores[truth] += 1.0
    cut = best_threshold(scores, truth, prior=0.0, weight=0.0)
    every = [((scores >= other) == truth).sum() for other in [*scores, scores.max() + 1]]
    assert ((scores >= cut) == truth).sum() == max(every)


def test_few_triples_do_not_move_the_threshold_of_many() -> None:
    scores, truth = np.array([5.0, 5.1]), np.array([False, True])
    assert best_threshold(scores, truth, prior=0.0, weight=0.0) == pytest.approx(5.05)
    assert best_threshold(np.array([5.0]), np.array([True]), prior=3.0, weight=10.0) < 5.0
    assert best_threshold(np.empty(0), np.empty(0, bool), prior=3.0, weight=10.0) == 3.0
