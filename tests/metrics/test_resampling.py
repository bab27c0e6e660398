"""Bootstrap intervals: do they cover, and are they the same again?"""

import time

import numpy as np

from servery.metrics.resampling import Interval, bootstrap


def test_the_interval_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(size=1000)
    found = bootstrap(lambda rows: {"mean": values[rows].mean()}, 1000, resamples=1000)["mean"]
    half_width = 1.96 * values.std() / np.sqrt(1000)
    np.testing.assert_allclose(
        [found.low, found.high], values.mean() + np.array([-1, 1]) * half_width, atol=0.01
    )


def test_nineteen_of_twenty_intervals_cover_the_truth():
    covered = 0
    for seed in range(100):
        right = np.random.default_rng(seed).random(200) < 0.8
        found = bootstrap(lambda rows, right=right: {"accuracy": right[rows].mean()}, 200, resamples=200)
        covered += found["accuracy"].low <= 0.8 <= found["accuracy"].high
    assert 88 <= covered <= 99


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(50.0)

    def measure(rows):
        return {"mean": values[rows].mean()}

    assert bootstrap(measure, 50, seed=3) == bootstrap(measure, 50, seed=3)
    assert bootstrap(measure, 50, seed=3) != bootstrap(measure, 50, seed=4)


def test_a_metric_that_is_mostly_undefined_gets_no_interval():
    def measure(rows):
        return {"rare": 1.0} if (rows == 0).all() else {"sure": 1.0, "never": float("nan")}

    assert bootstrap(measure, 5, resamples=50) == {"sure": Interval(1.0, 1.0)}


def test_intervals_overlap_or_do_not():
    assert not Interval(0.1, 0.2).overlaps(Interval(0.3, 0.4))
    assert Interval(0.1, 0.35).overlaps(Interval(0.3, 0.4))


def test_three_hundred_resamples_of_many_rows_and_labels_take_seconds():
    from servery.tasks.multi_label_classification import MULTI_LABEL_CLASSIFICATION as TASK

    generator = np.random.default_rng(0)
    targets = (generator.random((6000, 28)) < 0.05).astype(np.float32)
    outputs = generator.normal(targets * 2 - 3).astype(np.float32)
    calibration = TASK.calibrate(targets, outputs)
    start = time.process_time()
    bootstrap(lambda rows: TASK.measure(targets[rows], outputs[rows], calibration), 6000, resamples=30)
    assert time.process_time() - start < 3.0  # a tenth of the resamples
