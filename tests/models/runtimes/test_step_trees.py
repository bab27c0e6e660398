"""Trees for some steps ahead: what lies between them, and torn options."""

from pathlib import Path

import lightgbm
import numpy as np
import pytest

from servery.errors import ArtifactError
from servery.models.runtimes.lightgbm import LightGbm
from servery.models.runtimes.step_trees import StepTrees


def booster(value: float) -> lightgbm.Booster:
    x = np.arange(40.0)[:, None]
    settings = {"verbosity": -1, "min_data_in_leaf": 1, "num_threads": 1}
    return lightgbm.train(settings, lightgbm.Dataset(x, np.full(40, value)), 1)


@pytest.fixture(scope="module")
def trees() -> StepTrees:
    """Changes of 2 and 6 at the steps 1 and 3, unsure by 1 and e; everything is small."""
    return StepTrees(LightGbm([[booster(v)] for v in (2e-6, 6e-6, 0.0, 1.0)], "labels", 1), (1, 3), 1e6)


def test_steps_between_lie_on_straight_lines_from_the_last_reading(trees: StepTrees) -> None:
    outputs = trees.run({"x": np.array([[10.0], [20.0]], np.float32)})
    assert outputs.shape == (2, 3, 2)
    assert outputs[0, :, 0] == pytest.approx([12, 14, 16], abs=1e-2)
    assert outputs[1, :, 0] == pytest.approx([22, 24, 26], abs=1e-2)
    assert outputs[0, :, 1] == pytest.approx([1, (1 + np.e) / 2, np.e])


def test_it_comes_back_from_its_files_and_torn_options_are_refused(trees: StepTrees, tmp_path: Path) -> None:
    trees.save(tmp_path)
    x = {"x": np.array([[3.0]], np.float32)}
    assert np.array_equal(StepTrees.load(tmp_path, trees.options(), 1).run(x), trees.run(x))
    for steps in ([3, 1], [1], [0, 3], "x", None):
        with pytest.raises(ArtifactError):
            StepTrees.load(tmp_path, {**trees.options(), "steps": steps}, 1)


def test_a_large_reading_is_multiplied_and_a_small_one_added_to() -> None:
    double = StepTrees(LightGbm([[booster(np.log(2.0))], [booster(0.0)]], "labels", 1), (1,), 1.0)
    large, small = double.run({"x": np.array([[500.0], [0.0]], np.float32)})[:, 0, 0]
    assert large == pytest.approx(1000, rel=1e-3)
    assert small == pytest.approx(0.75)
