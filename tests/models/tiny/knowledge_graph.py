"""Tiny hyperparameters of the recipes of knowledge graphs, and a tiny encoder that knows the sample's words."""

import runpy
from pathlib import Path
from typing import Any

from servery.fields._field import find_field

TEXT_ENCODERS = runpy.run_path(str(Path(__file__).with_name("text_encoders.py")))
SENTENCES = [
    str(row["sentence"]).replace("<", " $ # ").replace(">", " ")
    for row in find_field("knowledge-graph").offer_for("relation-extraction").sample(320, 0).examples()
]
FOLDER = str(TEXT_ENCODERS["tiny_encoder"](SENTENCES))

GRAPH = {
    "size": 16,
    "average_decay": 0.0,
    "patience": 50,
    "penalty": 0.0,
    "entity_dropout": 0.0,
    "batch_size": 16,
}
NETWORK = {
    "batch_size": 16,
    "average_decay": 0.0,
    "patience": 50,
    "learning_rate": 5e-3,
    "word_size": 16,
    "affix_size": 8,
    "character_filters": 8,
    "distance_size": 4,
    "word_dropout": 0.0,
    "embedding_dropout": 0.0,
    "dropout": 0.0,
}
TINY: dict[str, dict[str, Any]] = {
    "link-prediction/frequency": {},
    **{f"link-prediction/{name}": GRAPH for name in ("transe", "distmult", "complex", "rotate")},
    "relation-extraction/tfidf-linear": {"inverse_penalty": 100.0, "min_documents": 1},
    "relation-extraction/cnn": {**NETWORK, "filters": 16},
    "relation-extraction/lstm": {**NETWORK, "hidden_size": 16},
    "relation-extraction/attention": {**NETWORK, "hidden_size": 16},
    "relation-extraction/encoder-finetune": {
        "encoder": FOLDER,
        "batch_size": 16,
        "patience": 50,
        "learning_rate": 3e-3,
        "frozen_blocks": 0,
        "max_iterations": 20,
        "dropout": 0.0,
        "precision": "float32",
    },
}
LONGER: dict[str, dict[str, Any]] = {
    f"link-prediction/{name}": {"epochs": 150, "size": 32}
    for name in ("transe", "distmult", "complex", "rotate")
}
BY_HEART = {
    "link-prediction": ("mrr", 0.9),
    "link-prediction/frequency": ("mrr", 0.15),  # it looks at the relation alone
    "relation-extraction": ("accuracy", 0.95),
}
