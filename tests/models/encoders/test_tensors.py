"""Tensors in batches, scaled or as they came."""

import numpy as np
import pytest

from servery.errors import ArtifactError, InputError
from servery.models.encoders.tensors import Tensors


def rows(*arrays: np.ndarray) -> list[dict[str, np.ndarray]]:
    return [{"x": array} for array in arrays]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 2, 2)])
@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64", "bool"])
def test_rows_are_stacked_in_order_as_they_are(shape, count, dtype):
    arrays = [np.full(shape, place % 2, dtype) for place in range(count)]
    stacked = Tensors(["x"]).encode(rows(*arrays))["x"]
    assert stacked.dtype == dtype
    assert (stacked == np.stack(arrays)).all()
    stacked[...] = 1  # torch warns of arrays that cannot be written


def test_learned_scales_bring_the_training_rows_to_mean_0_and_deviation_1():
    examples = rows(*np.random.default_rng(0).normal(5, 3, size=(100, 4)).astype(np.float32))
    encoder = Tensors.restore(Tensors.fit(examples, ["x"]).state())
    scaled = encoder.encode(examples)["x"]
    assert scaled.dtype == np.float32
    assert abs(scaled.mean()) < 1e-5
    assert abs(scaled.std() - 1) < 1e-5


def test_a_constant_column_is_only_shifted():
    encoder = Tensors.fit(rows(np.full(3, 7.0), np.full(3, 7.0)), ["x"])
    assert (encoder.encode(rows(np.full(3, 7.0)))["x"] == 0).all()


def test_rows_of_different_shapes_are_refused():
    with pytest.raises(InputError, match="differ in shape"):
        Tensors(["x"]).encode(rows(np.ones(2), np.ones(3)))


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"columns": [], "scales": {}},
        {"columns": ["x"], "scales": {"y": [0, 1]}},
        {"columns": ["x"], "scales": {"x": [0, 0]}},
        {"columns": ["x"], "scales": {"x": [float("nan"), 1]}},
        {"columns": ["x"], "scales": {"x": [1]}},
        {"columns": 5, "scales": {}},
    ],
)
def test_a_torn_state_is_refused(state):
    with pytest.raises(ArtifactError, match="torn"):
        Tensors.restore(state)
