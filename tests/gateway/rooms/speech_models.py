"""The smallest honest model that tells recordings apart: is the loudest tone low or high?"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from servery.data.audio import wav_of
from servery.data.columns import Column, Kind, Role
from servery.models.encoders.log_mel import LogMel
from servery.models.predictor import Predictor
from servery.models.runtimes.onnx import Onnx
from servery.models.signature import Limits, Signature
from servery.tasks.task import Calibration

RATE, BANDS = 8000, 16
LONGEST_SECONDS = 30


def beep(hertz: float, seconds: float = 0.3, rate: int = RATE) -> bytes:
    """A tone as a wav."""
    return wav_of(0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate), rate)


def beeps() -> Predictor:
    """Two labels; the logit of each is the power of the loudest frame in its half of the bands."""
    weight = np.zeros((BANDS, 2), np.float32)
    weight[: BANDS // 2, 0] = weight[BANDS // 2 :, 1] = 2 / BANDS
    nodes = [
        helper.make_node("ReduceMax", ["bands", "frames"], ["loudest"], keepdims=0),
        helper.make_node("MatMul", ["loudest", "weight"], ["logits"]),
    ]
    kinds: list[Any] = [("bands", ["rows", "length", BANDS]), ("ends", ["rows", "length"])]
    graph = helper.make_graph(
        nodes,
        "beeps",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in kinds],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.array([1]), "frames")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    signature = Signature(
        task="classification",
        field="speech-recognition",
        inputs=(Column("audio", Kind.AUDIO, Role.INPUT),),
        labels=("low", "high"),
        limits=Limits(max_audio_seconds=LONGEST_SECONDS),
    )
    encoder = LogMel("audio", RATE, 256, 128, BANDS, LONGEST_SECONDS, floor=1e-5)
    return Predictor(signature, encoder, Onnx(model.SerializeToString(), 1), Calibration(), "test-beeps")
