"""A furnished data home with tiny real models, and a real server on it in a process of its own.

Run as a program it serves a home: `python house.py FOLDER [PORT]`. Only that process knows the drill's rooms.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.models.encoder import Encoder
from servery.models.encoders.pictures import Pictures
from servery.models.encoders.rows import Rows
from servery.models.encoders.tensors import Tensors
from servery.models.encoders.terms import Terms
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime
from servery.models.runtimes.linear import Linear
from servery.models.runtimes.onnx import Onnx
from servery.models.signature import Signature
from servery.models.wording import Wording
from servery.registry.keys import Keys
from servery.registry.registry import Registry
from servery.registry.version import Version
from servery.settings import Settings
from servery.storage.database import Database
from servery.tasks.task import Calibration

ROOMS = Path(__file__).parent / "rooms"
GOOD, BAD = "great fun and quick", "slow and rude"


def load_room(name: str) -> Any:
    """Return one of the drill's modules, e.g. `runtimes/drill`."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(f"drill_{name.replace('/', '_')}", ROOMS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reviews(turn: float = 1.0) -> Predictor:
    """A text model: words of GOOD are positive, those of BAD negative; `turn` -1 turns it around."""
    encoder = Terms.fit([{"text": GOOD}, {"text": BAD}], ["text"], min_documents=1, piece_lengths=(0, 0))
    good = set(GOOD.split())
    weight = np.zeros((encoder.term_count, 2), np.float32)
    for number, term in enumerate(encoder.document_counts):
        weight[number, int(term in good)] = 3.0 * turn
    runtime = Linear(weight, np.array([0.1, 0.0], np.float32))
    made = predictor([("text", Kind.TEXT)], ("negative", "positive"), encoder, runtime, GOOD)
    return replace(made, signature=replace(made.signature, wording=Wording.of([GOOD, BAD])))


def loans() -> Predictor:
    """A table model: debt speaks for default."""
    columns = [("income", Kind.NUMBER), ("debt_ratio", Kind.NUMBER), ("home", Kind.CATEGORY)]
    seen: dict[str, dict[str, Any]] = {
        "income": {"low": 0.0, "high": 9.0},
        "debt_ratio": {"low": 0.0, "high": 1.0},
        "home": {"categories": ("own", "rent", "tent")},
    }
    rows = [
        {"income": 1.0, "debt_ratio": 0.1, "home": "own"},
        {"income": 3.0, "debt_ratio": 0.9, "home": "rent"},
    ]
    inputs = [Column(name, kind, Role.INPUT) for name, kind in columns]
    encoder = Rows.fit(rows, inputs, layout="one-hot")
    width = encoder.encode(rows)["x"].shape[1]
    weight = np.zeros((width, 2), np.float32)
    weight[1, 1] = 2.0
    runtime = Linear(weight, np.zeros(2, np.float32))
    made = predictor(columns, ("repay", "default"), encoder, runtime, rows[0])
    learned = tuple(replace(column, **seen[column.name]) for column in made.signature.inputs)
    return replace(made, signature=replace(made.signature, inputs=learned))


def shades() -> Predictor:
    """A picture model of 4 x 4 grey pixels in ONNX: is it dark or bright?"""
    from onnx import TensorProto, helper, numpy_helper

    weight = np.stack([np.full(16, -0.01), np.full(16, 0.01)], axis=1).astype(np.float32)
    bias = np.array([20.0, -20.0], np.float32)
    nodes = [
        helper.make_node("Cast", ["pixels"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["number"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "shades",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["rows", 1, 4, 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 2])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    encoder = Pictures("image", 4, 4, 1)
    runtime = Onnx(model.SerializeToString(), 1)
    return predictor([("image", Kind.IMAGE)], ("dark", "bright"), encoder, runtime, None)


def signals(dtype: str = "float32", *shape: int) -> Predictor:
    """A tensor model: are the numbers larger on the left or on the right?"""
    encoder = Tensors(["x"])
    size = math.prod(shape or (4,))
    weight = np.zeros((size, 2), np.float32)
    weight[: size // 2, 0] = weight[size // 2 :, 1] = 1.0
    runtime = Linear(weight, np.zeros(2, np.float32))
    made = predictor([], ("left", "right"), encoder, runtime, [1] * (size // 2) + [0] * (size - size // 2))
    column = Column("x", Kind.TENSOR, Role.INPUT, shape=shape or (4,), dtype=dtype)
    return replace(made, signature=replace(made.signature, inputs=(column,)))


def drill(tilt: Any = 0.0) -> Predictor:
    """A model that sleeps and fails on order; its example sleeps, so that it is not taken for one that is quick."""
    encoder = load_room("encoders/drill").DrillEncoder()
    runtime = load_room("runtimes/drill").DrillRuntime(tilt)
    return predictor([("text", Kind.TEXT)], ("long", "short"), encoder, runtime, "sleep=0.002")


def predictor(
    columns: list[tuple[str, Kind]], labels: tuple[str, ...], encoder: Encoder, runtime: Runtime, example: Any
) -> Predictor:
    signature = Signature(
        task="classification",
        field="sentiment-analysis",
        inputs=tuple(Column(name, kind, Role.INPUT) for name, kind in columns),
        labels=labels,
        target="label",
        example=example,
    )
    return Predictor(signature, encoder, runtime, Calibration(), recipe=f"test-{runtime.name}")


def picture(shade: int) -> bytes:
    """A grey PNG."""
    from PIL import Image

    stream = BytesIO()
    Image.new("L", (4, 4), shade).save(stream, "PNG")
    return stream.getvalue()


@dataclass
class Home:
    """An opened data home."""

    folder: Path
    settings: Settings
    database: Database
    registry: Registry
    keys: Keys
    secrets: dict[str, str] = field(default_factory=dict)

    def register(self, name: str, model: Predictor, *aliases: str, **lineage: Any) -> Version:
        with tempfile.TemporaryDirectory() as staged:
            model.save(Path(staged))
            signature = model.signature
            facts = {"task": signature.task, "field": signature.field, "recipe": model.recipe}
            return self.registry.register(
                name, Path(staged), {**facts, "lineage": lineage}, actor="test", aliases=aliases
            )

    def key(self, name: str, *scopes: str, **more: Any) -> str:
        _, self.secrets[name] = self.keys.create(name, scopes, actor="test", **more)
        return self.secrets[name]


@contextmanager
def open_home(folder: Path, **settings: Any) -> Iterator[Home]:
    found = Settings(home=folder, **settings)
    found.home.mkdir(parents=True, exist_ok=True)
    database = Database.open(found.database_url)
    try:
        registry = Registry(database, found.artifacts)
        yield Home(folder, found, database, registry, Keys(database, folder / "pepper.key"))
    finally:
        database.close()


def furnish(home: Home) -> None:
    """Register one model of each form and the drill, with keys of different scopes."""
    home.register("reviews", reviews(), "production")
    home.register("reviews", reviews(turn=-1.0))
    home.register("loans", loans(), "production", is_sample=True)
    home.register("shades", shades(), "production")
    home.register("signals", signals(), "production")
    home.register("counts", signals("int32"), "production")
    home.register("spare", signals(), "production")
    for name, model in load_room("openai_models").all_models().items():
        home.register(name, model, "production")
    home.register("quarters", load_room("detector").detector(), "production")
    home.register("regions", load_room("regions").regions(), "production")
    home.register("walkers", load_room("walkers").walkers(), "production", notice="Research use only.")
    home.register("scribe", load_room("scribe").scribe(), "production")
    home.register("beeps", load_room("speech_models").beeps(), "production")
    interpreters = load_room("interpreter")
    home.register("interpreter", interpreters.interpreter(), "production")
    home.register("linguist", interpreters.linguist(), "production")
    home.register("abridger", load_room("summarizers").abridger(), "production")
    home.register("names", load_room("names").names(), "production")
    graphs = load_room("graphs")
    home.register("capitals", graphs.capitals(), "production")
    home.register("founders", graphs.founders(), "production")
    homes = load_room("homes")
    home.register("butler", homes.butler(), "production")
    home.register("weather", homes.weather(), "production")
    home.register("shelves", load_room("shelves").shelves(), "production")
    home.register("flags", load_room("drawn_models").flags(), "production")
    home.register("shipwright", load_room("designers").shipwright(), "production")
    home.register("drill", drill(), "production")
    home.register("broken", drill("broken"))
    home.key("root", "admin")
    home.key("app", "predict", "models:read")
    home.key("only-loans", "predict:loans")
    home.key("watcher", "metrics:read")
    home.key("nobody", "metrics:read")


class ServerProcess:
    """A server in a process of its own."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = (home / "server.log").open("ab")
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "SERVERY_HOME": str(home), "SERVERY_PORT": "0"}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(home)],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**variables, **(environment or {})},
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (home / "server.log").read_text()
        told = json.loads(line)
        self.url: str = told["url"]
        self.grpc: str = told.get("grpc", "")

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while httpx.get(f"{self.url}/readyz").status_code != 200:
            assert time.monotonic() < end, "the server did not become ready"
            time.sleep(0.05)

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to stop, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()
        return code


def _serve(home: Path) -> None:
    import servery.models.encoders
    import servery.models.runtimes
    from servery.gateway.server import serve

    servery.models.encoders.__path__.append(str(ROOMS / "encoders"))
    servery.models.runtimes.__path__.append(str(ROOMS / "runtimes"))

    def ready(url: str, new_key: str | None, settings: Settings) -> None:
        told = {"url": url, "new_key": new_key, "port": settings.port}
        if settings.grpc_port is not None:
            told["grpc"] = f"{settings.host}:{settings.grpc_port}"
        print(json.dumps(told), flush=True)

    serve(Settings(home=home), ready=ready)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
