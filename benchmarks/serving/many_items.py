"""How long a recommender of 100,000 items takes for one answer: encode, score every item, choose the best ten, decode.

Run: `OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/serving/many_items.py`. The models are random numbers
of the sizes that the recipes learn; what is measured does not depend on what they say.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.events import Event
from servery.models.encoders.histories import Histories
from servery.models.predictor import Predictor
from servery.models.runtimes.recommender import Recommender
from servery.models.signature import Signature
from servery.tasks.recommendation import RecommendationParameters
from servery.tasks.task import Calibration

ITEMS, NEIGHBOURS, SIZE, EVENTS, ROUNDS = 100_000, 100, 64, 20, 200


def main() -> None:
    chance = np.random.default_rng(0)
    names = [f"item {number}" for number in range(ITEMS)]
    popularity = chance.random(ITEMS).astype(np.float32)
    vectors = chance.normal(size=(ITEMS, SIZE)).astype(np.float32)
    models = {
        "neighbours": {
            "sources": np.repeat(np.arange(ITEMS), NEIGHBOURS),
            "targets": chance.integers(0, ITEMS, ITEMS * NEIGHBOURS),
            "weights": chance.random(ITEMS * NEIGHBOURS).astype(np.float32),
        },
        "mean_vector": {"history_vectors": vectors, "item_vectors": vectors, "biases": popularity},
    }
    examples = [
        {
            "user_id": None,
            "history": tuple(Event(names[place]) for place in chance.integers(0, ITEMS, EVENTS)),
        }
        for _ in range(ROUNDS)
    ]
    for name, tensors in models.items():
        settings = {"repeat_weight": 0.3, "half_life_days": 30.0, "length": 50}
        runtime = Recommender(name, {"popularity": popularity, **tensors}, settings)
        columns = (("user_id", Kind.CATEGORY), ("history", Kind.EVENTS))
        inputs = tuple(Column(column, kind, Role.INPUT) for column, kind in columns)
        signature = Signature("recommendation", "recommendation", inputs, tuple(names), "next")
        encoder = Histories.fit("user_id", "history", names, {})
        print(name, _measured(Predictor(signature, encoder, runtime, Calibration(), name), examples))


def _measured(predictor: Predictor, examples: list[dict[str, object]]) -> str:
    asked, took = RecommendationParameters(exclude_seen=True), []
    for example in examples:
        began = time.perf_counter()
        predictor.predict([example], asked)
        took.append((time.perf_counter() - began) * 1000)
    ordered = sorted(took)
    return f"p50 {statistics.median(took):.2f} ms, p99 {ordered[int(0.99 * len(ordered))]:.2f} ms"


if __name__ == "__main__":
    main()
