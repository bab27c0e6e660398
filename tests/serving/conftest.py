"""The drill model, a real ONNX model that does as it is ordered, and a data home, shared with the gateway's tests."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.models.encoders.rows import Rows
from servery.models.predictor import Predictor
from servery.models.runtimes.onnx import Onnx

HOUSE = Path(__file__).parents[1] / "gateway" / "house.py"
WIDTH = 64


@pytest.fixture(scope="session")
def house() -> ModuleType:
    if "servery_test_house" not in sys.modules:
        spec = importlib.util.spec_from_file_location("servery_test_house", HOUSE)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["servery_test_house"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["servery_test_house"])
    return sys.modules["servery_test_house"]


@pytest.fixture
def home(house: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with house.open_home(tmp_path / "home") as opened:
        yield opened


@pytest.fixture(scope="session")
def obedient(house: ModuleType) -> Predictor:
    """A model of three numbers: `word` beyond 31 fails, a negative `value` gives NaN, `rounds` are turned.

    Its products of 64 numbers are summed in an order that depends on the batch, as in every real network.
    """
    columns = [("word", Kind.NUMBER), ("value", Kind.NUMBER), ("rounds", Kind.NUMBER)]
    example = {"word": 3, "value": 1.0, "rounds": 1}
    inputs = [Column(name, kind, Role.INPUT) for name, kind in columns]
    chance = np.random.default_rng(0)
    varied = [{"word": float(word), "value": 1.5 + word, "rounds": word / 2} for word in range(30)]
    encoder = Rows.fit(varied, inputs, layout="plain")
    weights = {
        "table": chance.normal(size=(32, WIDTH)).astype(np.float32),
        "inner": chance.normal(size=(WIDTH, WIDTH)).astype(np.float32),
        "outer": chance.normal(size=(WIDTH, 2)).astype(np.float32),
    }
    runtime = Onnx(_graph(weights), 1)
    made: Predictor = house.predictor(columns, ("no", "yes"), encoder, runtime, example)
    return made


def _graph(weights: dict[str, np.ndarray]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    turn = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["goes_on"]),
            helper.make_node("Add", ["turned", "step"], ["turned_again"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("turned", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("turned_again", TensorProto.FLOAT, []),
        ],
    )
    nodes = [
        helper.make_node("Split", ["x"], ["word", "value", "rounds"], axis=1),
        helper.make_node("Cast", ["word"], ["place"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["place", "axis"], ["places"]),
        helper.make_node("Gather", ["table", "places"], ["vectors"]),
        helper.make_node("MatMul", ["vectors", "inner"], ["hidden"]),
        helper.make_node("Tanh", ["hidden"], ["bounded"]),
        helper.make_node("MatMul", ["bounded", "outer"], ["scores"]),
        helper.make_node("Log", ["value"], ["logs"]),
        helper.make_node("Add", ["scores", "logs"], ["sums"]),
        helper.make_node("ReduceMax", ["rounds"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["trips"], to=TensorProto.INT64),
        helper.make_node("Loop", ["trips", "", "zero"], ["turns"], body=turn),
        helper.make_node("Add", ["sums", "turns"], ["logits"]),
    ]
    constants = {
        **weights,
        "axis": np.array([1], np.int64),
        "zero": np.array(0.0, np.float32),
        "step": np.array(0.0, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "obedient",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())
