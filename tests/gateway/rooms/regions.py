"""The smallest honest segmenter: which pixels are bright? Made in milliseconds, in ONNX."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from servery.data.columns import Column, Kind, Role
from servery.models.encoders.measured_pictures import MeasuredPictures
from servery.models.predictor import Predictor
from servery.models.runtimes.onnx import Onnx
from servery.models.signature import Signature
from servery.tasks.task import Calibration

SIDE = 4


def regions() -> Predictor:
    """A map of 4 x 4: "dark" or "bright", both quite sure."""
    weights = {
        "middle": np.array(130.0, np.float32),
        "none": np.array(0.0, np.float32),
        "chance": np.array(0.9, np.float32),
        "corner": np.array([-1, 1, 1, 2]),
        "room": np.array([0, 0, 0, 0, 0, 0, SIDE - 1, SIDE - 2]),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Greater", ["numbers", "middle"], ["is_bright"]),
        helper.make_node("Cast", ["is_bright"], ["labels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["labels", "none"], ["zeros"]),
        helper.make_node("Add", ["zeros", "chance"], ["chances"]),
        helper.make_node("Cast", ["sizes"], ["sides"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["sides", "corner"], ["placed"]),
        helper.make_node("Pad", ["placed", "room"], ["size"]),
        helper.make_node("Concat", ["labels", "chances", "size"], ["maps"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "regions",
        [
            helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["rows", 1, SIDE, SIDE]),
            helper.make_tensor_value_info("sizes", TensorProto.INT64, ["rows", 2]),
        ],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["rows", 3, SIDE, SIDE])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    signature = Signature(
        task="segmentation",
        field="computer-vision",
        inputs=(Column("image", Kind.IMAGE, Role.INPUT),),
        labels=("dark", "bright"),
        target="mask",
    )
    encoder = MeasuredPictures("image", SIDE, SIDE, 1)
    return Predictor(
        signature, encoder, Onnx(model.SerializeToString(), 1), Calibration(), "test-segmentation"
    )
