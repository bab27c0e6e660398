"""An export serves only if it is proven, and says so; training is never lost to it."""

import importlib.util
import logging
import re
from collections.abc import Callable
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
import torch
from torch import Tensor

from servery.data.dataset import Dataset
from servery.models.predictor import Predictor
from servery.models.runtimes.linear import Linear
from servery.nn.network import Network
from servery.optimize.export import export_to_onnx

Maker = Callable[[Network], Predictor]


class Fickle(Network):
    """Adds the number of its calls: what is exported stays at the one it was traced in."""

    name = "fickle"
    axes = {"tokens": ("rows", "length")}

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.arguments = {}
        self.calls = 0

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        self.calls += 1
        return tokens.sum(dim=1, keepdim=True) * self.weight + self.calls


class Unreadable(Network):
    """Chooses its way by what it sees, which no graph can hold."""

    name = "unreadable"
    axes = {"tokens": ("rows", "length")}

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.arguments = {}

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        rows = [self.weight * (-1 if int(row.sum()) % 2 else 1) for row in tokens]
        return torch.stack(rows)


def test_what_agrees_serves_without_torch_and_says_why(
    predictor_of: Maker, network: Network, texts: Dataset
) -> None:
    exported = export_to_onnx(predictor_of(network), texts)
    assert exported.runtime.name == "onnx"
    assert re.fullmatch(
        r"ONNX Runtime agreed with torch on 60 held-out rows \(largest difference \de[-+]\d\d\) and answered "
        r"\d+\.\d times as fast at batch 1, \d+\.\d times at batch 16",
        exported.runtime_reason,
    )


def test_the_exporters_chatter_is_kept_from_the_user(
    predictor_of: Maker, network: Network, texts: Dataset, capfd: pytest.CaptureFixture[str]
) -> None:
    export_to_onnx(predictor_of(network), texts)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert logging.root.manager.disable == 0


def test_what_disagrees_stays_with_torch(predictor_of: Maker, texts: Dataset) -> None:
    original = predictor_of(Fickle())
    kept = export_to_onnx(original, texts)
    assert kept.runtime is original.runtime
    assert "differed from torch by up to" in kept.runtime_reason


def test_what_cannot_be_exported_stays_with_torch(predictor_of: Maker, texts: Dataset) -> None:
    original = predictor_of(Unreadable())
    kept = export_to_onnx(original, texts)
    assert kept.runtime is original.runtime
    assert kept.runtime_reason.startswith("torch, because the export failed: TorchExportError: ")
    assert kept.runtime_reason.isprintable()


def test_without_the_extra_the_model_stays_with_torch_and_names_it(
    predictor_of: Maker, network: Network, texts: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec

    def lacking(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "onnxscript" else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", lacking)
    kept = export_to_onnx(predictor_of(network), texts)
    assert kept.runtime.name == "torch_network"
    assert "pip install 'servery[onnx]'" in kept.runtime_reason


def test_a_model_without_torch_comes_back_as_it_is(
    predictor_of: Maker, network: Network, texts: Dataset
) -> None:
    made = predictor_of(network)
    linear = Predictor(
        made.signature,
        made.encoder,
        Linear(np.zeros((2, 3), np.float32), np.zeros(3, np.float32)),
        made.calibration,
        "x",
    )
    assert export_to_onnx(linear, texts) is linear
