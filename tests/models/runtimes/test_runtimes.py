"""The runtimes: what they compute, what they refuse, and that three of four need no torch."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.errors import ArtifactError, NonFiniteError, UnknownNameError
from servery.models.predictor import Predictor
from servery.models.recipe import Made, find_recipe
from servery.models.runtime import find_runtime
from servery.models.runtimes.linear import Linear
from servery.optimize.export import export_to_onnx

WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder

class Forbid(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "sklearn", "pandas"):
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, Forbid())
from pathlib import Path
import servery.models.encoders.terms, servery.models.encoders.tokens
import servery.models.encoders.pictures, servery.models.encoders.rows
from servery.models.predictor import Predictor

for folder in sys.argv[1:]:
    predictor = Predictor.load(Path(folder))
    example = {"text": "the soup was good", "income": 30000.0}
    print(predictor.runtime.name, len(predictor.predict([example])))
assert "torch" not in sys.modules
"""


def test_linear_multiplies_dense_and_sparse_rows_alike() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(5, 7)).astype(np.float32) * (random.random((5, 7)) < 0.4)
    x[[0, 3, 4]] = 0  # rows without entries: at the start, within, at the end
    runtime = Linear(random.normal(size=(7, 3)).astype(np.float32), np.ones(3, np.float32))
    rows, columns = np.nonzero(x)
    offsets = np.concatenate([[0], np.cumsum((x != 0).sum(axis=1))])
    sparse = runtime.run({"indices": columns, "values": x[rows, columns], "offsets": offsets})
    assert np.allclose(sparse, runtime.run({"x": x}), atol=1e-6)
    nothing = {"indices": columns[:0], "values": x[0, :0], "offsets": np.zeros(3, np.int64)}
    assert runtime.run(nothing).tolist() == [[1, 1, 1]] * 2


def test_a_binary_booster_gives_two_opposite_logits(
    trained: Callable[..., Made], field_sample: Callable[..., Any]
) -> None:
    predictor = trained(
        find_recipe("gradient-boosting", "table", "classification"), "classification"
    ).predictor
    outputs = predictor.outputs(list(field_sample("table", "classification").examples())[:9])
    assert np.array_equal(outputs[:, 0], -outputs[:, 1])


@pytest.mark.parametrize("name", ["linear", "onnx", "lightgbm", "torch_network"])
@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_missing_and_torn_weights_are_refused(name: str, damage: str, tmp_path: Path) -> None:
    if damage == "torn":
        for file in ("weights.safetensors", "model.onnx", "booster-0-0.txt"):
            (tmp_path / file).write_bytes(b"\x80\x04torn")
    options = {
        "network": "picture_mlp",
        "arguments": {
            "channels": 1, "height": 2, "width": 2, "means": [0.0], "deviations": [1.0],
            "hidden_sizes": [], "labels": 2, "dropout": 0.0,
        },
        "layout": "binary",
        "groups": [1],
    }  # fmt: skip
    with pytest.raises(ArtifactError):
        find_runtime(name).load(tmp_path, options, 1)


def test_weights_of_another_network_are_refused(trained: Callable[..., Made], tmp_path: Path) -> None:
    runtime = trained(find_recipe("mlp", "image", "classification"), "classification").predictor.runtime
    runtime.save(tmp_path)
    options = runtime.options()
    for changed in (
        {**options, "network": "none"},
        {**options, "arguments": {}},
        {**options, "arguments": {**options["arguments"], "labels": 9}},
    ):
        with pytest.raises(ArtifactError):
            find_runtime("torch_network").load(tmp_path, changed, 1)


def test_an_unknown_runtime_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"Known: .*lightgbm, linear, .*onnx, .*torch_network"):
        find_runtime("tensorrt")


def test_an_answer_that_is_not_finite_is_never_given(trained: Callable[..., Made]) -> None:
    predictor = trained(find_recipe("tfidf-linear", "text", "classification"), "classification").predictor
    broken = Linear(np.full_like(predictor.runtime.weight, np.nan), predictor.runtime.bias)  # type: ignore[attr-defined]
    with pytest.raises(NonFiniteError):
        Predictor(predictor.signature, predictor.encoder, broken, predictor.calibration, "x").predict(
            [{"text": "the soup was good"}]
        )


def test_three_runtimes_serve_in_a_process_without_torch(
    trained: Callable[..., Made], field_sample: Callable[..., Any], tmp_path: Path
) -> None:
    linear = trained(find_recipe("tfidf-linear", "text", "classification"), "classification").predictor
    boosted = trained(find_recipe("gradient-boosting", "table", "classification"), "classification").predictor
    network = trained(find_recipe("mlp", "text", "classification"), "classification").predictor
    exported = export_to_onnx(network, field_sample("text", "classification").take(np.arange(20)))
    folders = []
    for predictor in (linear, exported, boosted):
        folder = tmp_path / predictor.runtime.name
        folder.mkdir()
        folders.append(str(predictor.save(folder)))
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *folders], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["linear", "1", "onnx", "1", "lightgbm", "1"]
