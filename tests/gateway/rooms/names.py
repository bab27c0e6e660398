"""The smallest honest tagger: words it knows are persons or places; in ONNX, without torch."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from servery.data.columns import Column, Kind, Role
from servery.models.encoders.tagged_words import TaggedWords
from servery.models.predictor import Predictor
from servery.models.runtimes.onnx import Onnx
from servery.models.signature import Signature
from servery.tasks.task import Calibration

LABELS = ("person", "place")
TAGS = 1 + 2 * len(LABELS)
PERSONS, PLACES = "ann bo lind 王芳 أحمد", "rome oslo 上海 القاهرة"
SURE = 8.0


def names() -> Predictor:
    """A tagger: a word of PERSONS begins or goes on a person, a word of PLACES a place."""
    texts = [{"text": f"{PERSONS} {PLACES}"}] * 2
    encoder = TaggedWords.fit(texts, ["text"], vocabulary_size=100, max_words=2_000)
    likes = np.zeros((encoder.counts["words"], TAGS), np.float32)
    likes[:, 0] = SURE / 2
    for number, word in enumerate(encoder.words, 2):
        label = 0 if word in PERSONS else 1
        likes[number, 1 + 2 * label : 3 + 2 * label] = SURE
    transitions = np.zeros((1, TAGS, 2 + TAGS), np.float32)
    transitions[0, (1, 3), (2 + 2, 2 + 4)] = 1.0  # a name rather goes on than begins anew
    signature = Signature(
        task="tagging",
        field="natural-language-processing",
        inputs=(Column("text", Kind.TEXT, Role.INPUT),),
        labels=LABELS,
        target="entities",
        example="Ann Lind lives in Rome.",
    )
    return Predictor(signature, encoder, _onnx(likes, transitions), Calibration(), recipe="test-tagging")


def _onnx(likes: np.ndarray, transitions: np.ndarray) -> Onnx:
    nodes = [
        helper.make_node("Gather", ["likes", "words"], ["emissions"]),
        helper.make_node("Cast", ["places"], ["spans"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["spans", "emissions"], ["lines"], axis=2),
        helper.make_node("Shape", ["words"], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "shape"], ["wanted"], axis=0),
        helper.make_node("Expand", ["transitions", "wanted"], ["before"]),
        helper.make_node("Concat", ["before", "lines"], ["out"], axis=1),
    ]
    constants = {"likes": likes, "transitions": transitions, "shape": np.array(transitions.shape[1:])}
    graph = helper.make_graph(
        nodes,
        "names",
        [
            helper.make_tensor_value_info("words", TensorProto.INT64, ["rows", "length"]),
            helper.make_tensor_value_info("places", TensorProto.INT64, ["rows", "length", 2]),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return Onnx(model.SerializeToString(), 1)
