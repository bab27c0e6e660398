"""Makes the compared models from seeds: as plain files for the peers, as a data home for Servery, with right answers.

Run by the other scripts, once; the folder (see `Made`) lies in the cache of the benchmark. A peer reads

- `network.json` and `weights.npz`, or `model.onnx`: the same numbers;
- `tokenizer.json`: texts become tokens by the same rule everywhere;
- nothing else: `inputs.json` and `expected.npy` are for the one that asks, `predictor` is what Servery registers.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from workloads import BODIES, LABELS, MODELS, WIDTH, Model, cache_folder

from servery.data.columns import Column, Kind, Role
from servery.models.encoder import Encoder
from servery.models.encoders.tensors import Tensors
from servery.models.encoders.tokens import Tokens
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime
from servery.models.runtimes.onnx import Onnx
from servery.models.runtimes.torch_network import TorchNetwork
from servery.models.signature import Signature
from servery.nn.network import build_network
from servery.optimize.export import onnx_bytes
from servery.pipeline.workspace import Workspace
from servery.tasks.classification import CLASSIFICATION
from servery.tasks.task import Calibration

SEED = 20261123
HIDDEN = 128
VOCABULARY = 2000
SCOPES = ("predict", "models:read")
LIMITS = {"requests_per_minute": 100_000_000, "rows_per_day": 1_000_000_000_000}
"""A rate and a quota too high to be reached, so that both are counted for every request."""
VALUE_DIGITS = 6
"""Digits after the point of the numbers sent as JSON: a body of 784 has about 8 KB."""


@dataclass(frozen=True)
class Made:
    """A model on disk.

    Attributes:
        model: Which.
        runtime: "onnx" or "torch".
        folder: The files, see the top of this file; `fresh_home` makes Servery's data home in it.
    """

    model: Model
    runtime: str
    folder: Path

    @property
    def home(self) -> Path:
        """Servery's data home with this one model."""
        return self.folder / "home"

    @property
    def inputs(self) -> list[Any]:
        """What is asked: lists of 784 numbers, or texts."""
        return list(json.loads((self.folder / "inputs.json").read_text(encoding="utf-8")))

    @property
    def expected(self) -> np.ndarray:
        """The scores of each input, as the model gives them without a server, float64, (inputs, labels)."""
        return np.asarray(np.load(self.folder / "expected.npy"))

    @property
    def secret(self) -> str:
        """The key that Servery is asked with."""
        return (self.folder / "secret").read_text(encoding="utf-8")


def made(model: Model, runtime: str = "") -> Made:
    """Return a model's folder, made if this version of the script has not made it."""
    runtime = runtime or model.runtime
    if runtime == "torch" and not model.network:
        raise SystemExit(f"The model '{model.name}' is written as ONNX; there is no torch form of it.")
    version = hashlib.sha256(Path(__file__).read_bytes() + repr(model).encode()).hexdigest()[:8]
    name = f"{model.name}-{runtime}"
    result = Made(model, runtime, cache_folder() / "models" / f"{name}-{version}")
    if not (result.folder / "secret").exists():
        for old in result.folder.parent.glob(f"{name}-*"):
            shutil.rmtree(old)
        _make(result)
        fresh_home(result)
    return result


def fresh_home(target: Made) -> None:
    """Make Servery's data home anew, with this one model and a key that has limits.

    So nothing is left in it that a server learned about the machine while that was busy.
    """
    shutil.rmtree(target.home, ignore_errors=True)
    workspace = Workspace.open(target.home)
    predictor = Predictor.load(target.folder / "predictor")
    facts = {"task": "classification", "field": "sentiment-analysis", "recipe": predictor.recipe}
    workspace.registry.register(
        target.model.name, target.folder / "predictor", facts, actor="benchmark", aliases=["production"]
    )
    _, secret = workspace.keys.create("benchmark", SCOPES, limits=LIMITS, actor="benchmark")
    (target.folder / "secret").write_text(secret, encoding="utf-8")


def _make(target: Made) -> None:
    (target.folder / "predictor").mkdir(parents=True)
    torch.manual_seed(SEED)
    predictor, inputs = _text(target) if target.model.is_text else _numbers(target)
    (target.folder / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    predictor.save(target.folder / "predictor")
    rows = [{predictor.signature.inputs[0].name: _value(entry)} for entry in inputs]
    outputs = np.concatenate([predictor.run(predictor.encode([row])) for row in rows])
    np.save(target.folder / "expected.npy", CLASSIFICATION.scores(outputs, Calibration()))


def _value(entry: Any) -> Any:
    return entry if isinstance(entry, str) else np.array(entry, np.float32)


def _numbers(target: Made) -> tuple[Predictor, list[Any]]:
    generator = np.random.default_rng(SEED)
    first = generator.normal(0, WIDTH**-0.5, (WIDTH, HIDDEN)).astype(np.float32)
    second = generator.normal(0, HIDDEN**-0.5, (HIDDEN, LABELS)).astype(np.float32)
    content = _perceptron([first, np.zeros(HIDDEN, np.float32), second, np.zeros(LABELS, np.float32)])
    (target.folder / "model.onnx").write_bytes(content)
    inputs = generator.random((BODIES, WIDTH)).round(VALUE_DIGITS).tolist()
    column = Column("x", Kind.TENSOR, Role.INPUT, shape=(WIDTH,))
    encoder = Tensors(["x"])
    return _predictor(target, column, encoder, Onnx(content, 1), inputs[0]), inputs


def _perceptron(weights: Sequence[np.ndarray]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    names = ["first", "first_bias", "second", "second_bias"]
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", *names[:2]], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["rectified"]),
            helper.make_node("Gemm", ["rectified", *names[2:]], ["logits"]),
        ],
        "perceptron",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", WIDTH])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", LABELS])],
        [numpy_helper.from_array(w, name) for w, name in zip(weights, names, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _text(target: Made) -> tuple[Predictor, list[Any]]:
    generator = np.random.default_rng(SEED)
    words = _words(generator, 3000)
    texts = [" ".join(generator.choice(words, 60)) for _ in range(2000)]
    column = Column("text", Kind.TEXT, Role.INPUT)
    encoder = Tokens.fit(
        [{"text": text} for text in texts], ["text"], vocabulary_size=VOCABULARY, max_tokens=128
    )
    (target.folder / "tokenizer.json").write_text(json.dumps(encoder.state()["tokenizer"]), encoding="utf-8")
    inputs = [_exactly(target.model.tokens, words, encoder, generator) for _ in range(BODIES)]
    runtime = _network(target, encoder, inputs)
    return _predictor(target, column, encoder, runtime, inputs[0]), inputs


def _words(generator: np.random.Generator, count: int) -> list[str]:
    syllables = [f"{c}{v}" for c in "bdfgklmnprstvz" for v in "aeiou"]
    return ["".join(generator.choice(syllables, generator.integers(1, 4))) for _ in range(count)]


def _exactly(tokens: int, words: list[str], encoder: Tokens, generator: np.random.Generator) -> str:
    # All texts have as many tokens as the table says; what a word adds differs, so what does not fit is drawn anew.
    chosen: list[str] = []
    have = 0
    while have < tokens:
        trial = [*chosen, str(generator.choice(words))]
        size = encoder.sizes([{"text": " ".join(trial)}])[0]
        if size <= tokens:
            chosen, have = trial, size
    return " ".join(chosen)


def _network(target: Made, encoder: Tokens, inputs: list[Any]) -> Runtime:
    names = ("token_dropout", "embedding_dropout", "dropout", "head_dropout")
    dropouts = names[: 3 if target.model.network == "recurrent" else 4]
    arguments = {
        **dict(target.model.arguments),
        "vocabulary_size": encoder.vocabulary_size,
        "labels": LABELS,
        **dict.fromkeys(dropouts, 0.0),
    }
    torch.set_num_threads(1)
    network = build_network(target.model.network, arguments).eval()
    description = {"network": target.model.network, "arguments": arguments}
    (target.folder / "network.json").write_text(json.dumps(description), encoding="utf-8")
    if target.runtime == "torch":
        np.savez(target.folder / "weights.npz", **{k: v.numpy() for k, v in network.state_dict().items()})
        return TorchNetwork(network)
    content = onnx_bytes(network, encoder.encode([{"text": text} for text in inputs[:4]]))
    (target.folder / "model.onnx").write_bytes(content)
    return Onnx(content, 1)


def _predictor(target: Made, column: Column, encoder: Encoder, runtime: Runtime, example: Any) -> Predictor:
    signature = Signature(
        task="classification",
        field="sentiment-analysis",
        inputs=(column,),
        labels=tuple(f"label {number}" for number in range(LABELS)),
        target="label",
        example=example,
    )
    return Predictor(signature, encoder, runtime, Calibration(), recipe=f"benchmark-{target.model.name}")


if __name__ == "__main__":
    for each in MODELS.values():
        print(made(each).folder)
