"""A tiny text network that was never trained, as a predictor."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from servery.data.dataset import Dataset
from servery.fields.sentiment_analysis import sample
from servery.models.encoders.tokens import Tokens
from servery.models.predictor import Predictor
from servery.models.runtimes.torch_network import TorchNetwork
from servery.models.signature import Signature
from servery.nn.network import Network, build_network
from servery.tasks.task import Calibration


@pytest.fixture(scope="session")
def texts() -> Dataset:
    return sample(60, 0)


@pytest.fixture(scope="session")
def predictor_of(texts: Dataset) -> Callable[[Network], Predictor]:
    encoder = Tokens.fit(list(texts.examples()), ["text"], vocabulary_size=300)
    inputs = tuple(column for column in texts.inputs if column.name == "text")
    signature = Signature("classification", "sentiment-analysis", inputs, ("a", "b", "c"), "label")
    return lambda network: Predictor(signature, encoder, TorchNetwork(network), Calibration(), "mlp")


@pytest.fixture(scope="session")
def interpreter() -> Callable[..., Predictor]:
    """The house's maker of tiny models that write."""
    path = Path(__file__).parents[1] / "gateway" / "rooms" / "interpreter.py"
    spec = importlib.util.spec_from_file_location("servery_test_interpreter", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[..., Predictor] = module.interpreter
    return made


@pytest.fixture(scope="session")
def summarizers() -> ModuleType:
    """The house's makers of tiny models that summarize."""
    path = Path(__file__).parents[1] / "gateway" / "rooms" / "summarizers.py"
    spec = importlib.util.spec_from_file_location("servery_test_summarizers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def network() -> Network:
    torch.manual_seed(0)
    sizes = {"vocabulary_size": 400, "embedding_size": 8, "hidden_size": 8, "labels": 3}
    return build_network(
        "bag_of_tokens", {**sizes, "token_dropout": 0.0, "embedding_dropout": 0.0, "dropout": 0.0}
    )
