"""Tiny hyperparameters of the recipes that tag words."""

import runpy
from pathlib import Path
from typing import Any

FOLDER = runpy.run_path(str(Path(__file__).with_name("text_encoders.py")))["FOLDER"]

TAGGER = {
    "batch_size": 16,
    "average_decay": 0.0,
    "patience": 50,
    "learning_rate": 1e-2,
    "word_size": 16,
    "shape_size": 8,
    "affix_size": 8,
    "character_filters": 8,
    "hidden_size": 16,
    "word_dropout": 0.1,
    "embedding_dropout": 0.0,
    "dropout": 0.0,
}
TINY: dict[str, dict[str, Any]] = {
    "tagging/crf": {**TAGGER, "character_filters": 0, "learning_rate": 3e-2},
    "tagging/bilstm-crf": TAGGER,
    "tagging/lstm": TAGGER,
    "tagging/cnn": TAGGER,
    "tagging/transformer": {**TAGGER, "learning_rate": 3e-3},
    "tagging/encoder-head": {**TAGGER, "context_dropout": 0.0, "encoder": FOLDER, "layers": [1, 2]},
    "tagging/encoder-finetune": {
        **TAGGER,
        "context_dropout": 0.0,
        "encoder": FOLDER,
        "layers": [1, 2],
        "encoder_learning_rate": 1e-3,
        "encoder_epochs": 2,
        "frozen_blocks": 1,
        "precision": "float32",
    },
}
BY_HEART = {"tagging": ("entity_f1", 0.95)}
