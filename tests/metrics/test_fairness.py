"""Gaps between groups, counted by hand."""

import numpy as np
import pytest

from servery.metrics.decisions import Counts
from servery.metrics.deletion import area_under_deletion, deletion_steps
from servery.metrics.fairness import fairness_metrics, group_metrics


def of(positive: list[int], said: list[int]) -> dict[str, float]:
    truth, answer = np.array(positive, bool), np.array(said, bool)
    return group_metrics(truth, answer.astype(float), answer)


def test_gaps_are_those_that_one_counts_by_hand() -> None:
    women = of([1, 1, 0, 0], [1, 0, 0, 0])  # a quarter said; half found; no false alarm
    men = of([1, 1, 0, 0], [1, 1, 1, 0])  # three quarters said; all found; every second one alarmed
    found = fairness_metrics({"women": women, "men": men})
    assert found["demographic_parity_difference"] == pytest.approx(0.5)
    assert found["equalized_odds_difference"] == pytest.approx(0.5)
    assert found["impact_ratio"] == pytest.approx(1 / 3)
    assert found["other_impact_ratio"] == pytest.approx(1 / 3)


def test_a_group_without_positive_rows_has_no_sensitivity_and_is_left_out_of_that_gap() -> None:
    found = fairness_metrics(
        {"none": of([0, 0], [0, 1]), "some": of([1, 0], [1, 0]), "all": of([1, 0], [0, 0])}
    )
    assert np.isnan(of([0, 0], [0, 1])["sensitivity"])
    assert found["equalized_odds_difference"] == pytest.approx(1.0)


def test_one_group_alone_has_no_gap() -> None:
    assert all(np.isnan(value) for value in fairness_metrics({"all": of([1, 0], [1, 0])}).values())


def test_net_benefit_is_the_share_found_where_nobody_is_acted_on_wrongly() -> None:
    truth = np.array([1, 1, 0, 0], bool)
    counts = Counts.at(truth, truth.astype(float), np.array([0.2, 0.8]))
    np.testing.assert_allclose(counts.net_benefit(np.array([0.2, 0.8])), 0.5)


def test_acting_on_all_is_worth_nothing_at_the_share_of_the_positive() -> None:
    truth = np.array([1, 0, 0, 0], bool)
    everyone = Counts.at(truth, np.ones(4), np.array([0.25]))
    assert everyone.net_benefit(np.array([0.25])) == pytest.approx(0.0)


def test_costs_and_profits_are_counted_a_row() -> None:
    counts = Counts.of(np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool))
    assert counts.mean_cost(missed=10.0, false_alarm=2.0) == pytest.approx(3.0)
    assert counts.mean_profit(gain=4.0, loss=8.0) == pytest.approx(-1.0)


def test_the_area_is_small_where_the_first_parts_carried_the_score() -> None:
    early, late = np.array([1.0, 0.1, 0.0]), np.array([1.0, 0.9, 0.0])
    assert area_under_deletion(np.stack([early, late])).tolist() == pytest.approx([0.3, 0.7])
    assert [len(gone) for gone in deletion_steps(list(range(7)), 3)] == [0, 2, 5, 7]
