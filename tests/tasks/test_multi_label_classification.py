"""What is special to several labels a row: thresholds, selection."""

import numpy as np
import pytest

from servery.data.columns import Kind
from servery.errors import DataError
from servery.metrics.multi_label import macro_f1
from servery.tasks.multi_label_classification import MULTI_LABEL_CLASSIFICATION as TASK
from servery.tasks.task import Calibration


def rare_labels(seed, rows, labels=12):
    """Honest scores of labels from common to rare, as (targets, logits)."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(np.linspace(-1.0, -5.0, labels), 1.5, size=(rows, labels))
    targets = generator.random((rows, labels)) < 1 / (1 + np.exp(-logits))
    return targets.astype(np.float32), logits.astype(np.float32)


def test_labels_are_sorted_and_an_empty_cell_is_an_answer(make_dataset):
    dataset = make_dataset([("b", "a"), (), ("c",)], Kind.LABELS)
    labels = TASK.labels_of(dataset)
    assert labels == ("a", "b", "c")
    assert TASK.encode_targets(dataset, labels).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_a_missing_or_unknown_label_is_named_by_line(make_dataset):
    dataset = make_dataset([("a",), None, ("a", "z")], Kind.LABELS)
    with pytest.raises(DataError, match=r"line 3: missing; line 4: \('a', 'z'\)"):
        TASK.encode_targets(dataset, ["a"])


def test_no_label_at_all_is_refused(make_dataset):
    with pytest.raises(DataError, match="carries a label"):
        TASK.labels_of(make_dataset([(), ()], Kind.LABELS))


def test_fitted_thresholds_beat_one_half_and_one_common_on_fresh_rows():
    targets, logits = rare_labels(0, 3000)
    fitted = TASK.calibrate(targets, logits)
    fresh_targets, fresh_logits = rare_labels(1, 3000)
    own = TASK.measure(fresh_targets, fresh_logits, fitted)["macro_f1"]
    half = TASK.measure(fresh_targets, fresh_logits, Calibration())["macro_f1"]
    assert fitted.temperature == pytest.approx(1.0, abs=0.1)
    assert own > half + 0.1


def test_a_label_without_positives_gets_the_common_threshold():
    targets, logits = rare_labels(0, 500)
    targets[:, -2:] = 0
    thresholds = TASK.calibrate(targets, logits).thresholds
    assert thresholds[-1] == thresholds[-2]
    assert all(0 < t < 1 for t in thresholds)


def test_few_positives_are_held_back_and_score_better_for_it(monkeypatch):
    from servery.tasks import _thresholds

    def mean_fresh_f1():
        found = []
        for seed in range(20):
            targets, logits = rare_labels(seed, 300)
            fresh, fresh_logits = rare_labels(1000 + seed, 3000)
            chosen = _thresholds.fit_thresholds(targets > 0, logits.astype(np.float64))
            found.append(macro_f1(fresh > 0, 1 / (1 + np.exp(-fresh_logits)) >= chosen))
        return np.mean(found)

    held_back = mean_fresh_f1()
    monkeypatch.setattr(_thresholds, "HALF_WEIGHT", 1e-9)
    assert held_back > mean_fresh_f1() + 0.01


def test_the_trivial_model_with_its_own_thresholds_selects_every_label():
    # Without looking at the input, selecting a label always is the best for F1: 2p / (1 + p).
    targets, _ = rare_labels(0, 2000)
    trivial = TASK.trivial_outputs(targets, targets.shape[1], 2000)
    measured = TASK.measure(targets, trivial, TASK.calibrate(targets, trivial))
    shares = targets.mean(axis=0)
    assert measured["macro_f1"] == pytest.approx((2 * shares / (1 + shares)).mean(), rel=0.1)


def test_selection_follows_the_fitted_thresholds_or_the_asked_one():
    outputs = np.array([[0.0, -1.0, -3.0]], dtype=np.float32)
    fitted = Calibration(thresholds=(0.6, 0.2, 0.2))

    def selected(**asked):
        [answer] = TASK.decode(outputs, ("a", "b", "c"), fitted, TASK.parameters(**asked))
        return {p.label for p in answer.labels if p.selected}

    assert selected() == {"b"}
    assert selected(threshold=0.5) == {"a"}
    assert selected(threshold=0.0) == {"a", "b", "c"}
    assert selected(threshold=0.0, top_k=1) == {"a"}


def test_table_rows_answer_their_selected_labels_on_the_hub():
    outputs = np.array([[1.0, 2.0, -3.0], [-9.0, -9.0, -9.0]], dtype=np.float32)
    answers = TASK.decode(outputs, ("a", "b", "c"), Calibration(), TASK.parameters())
    assert TASK.hub_answers(answers, frozenset({Kind.NUMBER}), True) == ["b, a", ""]
