"""The smallest honest detector: which quarters of a picture are bright? Made in milliseconds, in ONNX."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from servery.data.columns import Column, Kind, Role
from servery.models.encoders.letterbox import Letterbox
from servery.models.predictor import Predictor
from servery.models.runtimes.onnx import Onnx
from servery.models.signature import Signature
from servery.tasks.task import Calibration

SIDE = 16


def picture(*bright: int, size: tuple[int, int] = (32, 32)) -> bytes:
    """A dark picture of which some quarters are bright: 0 and 1 above, 2 and 3 below."""
    width, height = size
    pixels = np.full((height, width), 20, np.uint8)
    for quarter in bright:
        down, across = divmod(quarter, 2)
        pixels[
            down * height // 2 : (down + 1) * height // 2, across * width // 2 : (across + 1) * width // 2
        ] = 250
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def detector() -> Predictor:
    """A box for each bright quarter, labelled "light"; a label "never" that it never finds."""
    corners = [(x / 2, y / 2, x / 2 + 0.5, y / 2 + 0.5) for y in range(2) for x in range(2)]
    weights = {
        "boxes": np.array([corners], np.float32),
        "middle": np.array(130.0, np.float32),
        "step": np.array(20.0, np.float32),
        "none": np.array(0.0, np.float32),
        "never": np.array(-30.0, np.float32),
        "places": np.array([0, 4, 1]),
        "start": np.array([0]),
        "end": np.array([2]),
        "axis": np.array([1]),
        "room": np.array([0, 0, 0, 0, 0, 4]),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("AveragePool", ["numbers"], ["means"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Reshape", ["means", "places"], ["quarters"]),
        helper.make_node("Sub", ["quarters", "middle"], ["over"]),
        helper.make_node("Div", ["over", "step"], ["logits"]),
        helper.make_node("Mul", ["logits", "none"], ["zeros"]),
        helper.make_node("Add", ["zeros", "boxes"], ["edges"]),
        helper.make_node("Add", ["zeros", "never"], ["nevers"]),
        helper.make_node("Concat", ["edges", "logits", "nevers"], ["lines"], axis=2),
        helper.make_node("Slice", ["frames", "start", "end", "axis"], ["sizes"]),
        helper.make_node("Unsqueeze", ["sizes", "axis"], ["size_line"]),
        helper.make_node("Pad", ["size_line", "room"], ["first"]),
        helper.make_node("Concat", ["first", "lines"], ["out"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "quarters",
        [
            helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["rows", 1, SIDE, SIDE]),
            helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["rows", 4]),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    signature = Signature(
        task="detection",
        field="computer-vision",
        inputs=(Column("image", Kind.IMAGE, Role.INPUT),),
        labels=("light", "never"),
        target="boxes",
        example=base64.b64encode(picture(0, 3)).decode("ascii"),
    )
    encoder = Letterbox("image", SIDE, SIDE, 1)
    return Predictor(signature, encoder, Onnx(model.SerializeToString(), 1), Calibration(), "test-detection")
