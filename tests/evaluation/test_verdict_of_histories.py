"""Users who did nothing between two moments are no leak; the same user asked the same twice is one."""

from dataclasses import replace

import numpy as np

from servery.data.split_leaks import find_split_leaks
from servery.data.splits import Split
from servery.evaluation.verdict import suspected_leaks
from servery.fields._field import find_field

SAMPLE = find_field("recommendation").offers[0].sample(200, 3)
TARGET = SAMPLE.target.name


def test_the_same_history_at_a_later_moment_is_no_leak() -> None:
    train, later = SAMPLE.take(np.arange(80)), SAMPLE.take(np.arange(100, 180))
    quiet = replace(later, values={**train.values, TARGET: later[TARGET]})
    assert suspected_leaks([], quiet, train) == []
    assert "same inputs" in suspected_leaks([], train, train)[0]


def test_learning_from_what_came_after_the_test_is_a_leak() -> None:
    early, late = SAMPLE.take(np.arange(80)), SAMPLE.take(np.arange(180, 200))
    first = max(event.time for cell in early[TARGET] for event in cell)
    last = min(event.time for cell in late[TARGET] for event in cell)
    assert first < last, "the sample's moments follow one another"
    honest = Split(early, late, late, "time", "", {}, 0)
    assert [f for f in find_split_leaks(honest) if f.code == "events_across_parts"] == []
    turned = find_split_leaks(replace(honest, train=late, test=early))
    [found] = [finding for finding in turned if finding.code == "events_across_parts"]
    assert found.code == "events_across_parts"
    assert found.is_leak
