"""A tiny model that draws in steps: a straight way from noise to the mean picture of a thing, by hand in ONNX."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from servery.data.columns import Column, Kind, Role
from servery.models.encoders.prompts import Prompts
from servery.models.predictor import Predictor
from servery.models.runtimes.onnx import Onnx
from servery.models.runtimes.sampler import Sampler
from servery.models.signature import Signature
from servery.tasks.task import Calibration

SIDE = 8
COLOURS = {"flag/red": (1.0, 0.0, 0.0), "flag/green": (0.0, 1.0, 0.0), "sea": (0.0, 0.2, 0.9)}
LEFT = 0.1
"""Share of the noise that stays in the picture, so that seeds differ."""


def flags() -> Predictor:
    """Pictures of one colour with a little noise, and transparent corners."""
    pictures = np.zeros((len(COLOURS) + 1, 4, SIDE, SIDE), np.float32)
    for place, colour in enumerate(COLOURS.values()):
        pictures[place, :3] = np.array(colour)[:, None, None]
        pictures[place, 3] = 1.0
    pictures[:, :, :2, :2] = 0.0
    node = helper.make_node
    nodes = [
        node("Gather", ["pictures", "category"], ["picture"]),
        node("Mul", ["noisy", "left"], ["stays"]),
        node("Add", ["picture", "stays"], ["end"]),
        node("Sub", ["end", "noisy"], ["way"]),
        node("Sub", ["one", "time"], ["time_left"]),
        node("Max", ["time_left", "least"], ["safe"]),
        node("Reshape", ["safe", "shape"], ["column"]),
        node("Div", ["way", "column"], ["speed"]),
    ]
    weights = {
        "pictures": 1.8 * pictures - 0.9,
        "left": np.array(LEFT, np.float32),
        "one": np.array(1, np.float32),
        "least": np.array(1e-3, np.float32),
        "shape": np.array([-1, 1, 1, 1]),
    }
    shape = ["rows", 4, SIDE, SIDE]
    graph = helper.make_graph(
        nodes,
        "flags",
        [
            helper.make_tensor_value_info("noisy", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("time", TensorProto.FLOAT, ["rows"]),
            helper.make_tensor_value_info("category", TensorProto.INT64, ["rows"]),
        ],
        [helper.make_tensor_value_info("speed", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    network = Onnx(model.SerializeToString(), 1)
    signature = Signature(
        task="image-generation",
        field="image-generation",
        inputs=(Column("prompt", Kind.TEXT, Role.INPUT),),
        labels=tuple(COLOURS),
        target="image",
        example="sea",
    )
    encoder = Prompts("prompt", tuple(COLOURS), (4, SIDE, SIDE), SIDE, SIDE, draws_in_steps=True)
    runtime = Sampler(network, "straight", len(COLOURS), steps=6, guidance=1.5)
    return Predictor(signature, encoder, runtime, Calibration(), recipe="test-flags")
