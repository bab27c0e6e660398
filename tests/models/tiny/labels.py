"""Tiny hyperparameters of the recipes that answer with labels."""

from typing import Any

TRAINING = {"batch_size": 16, "average_decay": 0.0, "patience": 50, "learning_rate": 5e-3}
NO_NOISE = {"dropout": 0.0}
TEXT = {
    **TRAINING,
    **NO_NOISE,
    "learning_rate": 1e-2,
    "vocabulary_size": 500,
    "embedding_size": 16,
    "token_dropout": 0.0,
    "embedding_dropout": 0.0,
}
PICTURE = {**TRAINING, **NO_NOISE, "augmentation": "none", "flip": "none"}
TINY: dict[str, dict[str, Any]] = {
    "text/tfidf-linear": {"inverse_penalty": 10.0, "min_piece_documents": 2},
    "text/mlp": {**TEXT, "hidden_size": 16, "learning_rate": 3e-2},
    "text/rnn": {**TEXT, "hidden_size": 16},
    "text/lstm": {**TEXT, "hidden_size": 16},
    "text/gru": {**TEXT, "hidden_size": 16},
    "text/cnn": {**TEXT, "filters": 16},
    "text/transformer": {**TEXT, "num_layers": 1, "heads": 2, "head_dropout": 0.0},
    "image/mlp": {**PICTURE, "learning_rate": 2e-3},
    "image/cnn": {**PICTURE, "widths": [8, 16], "block_dropout": 0.0, "label_smoothing": 0.0},
    "table/logistic": {"inverse_penalty": 100.0},
    "table/scorecard": {"inverse_penalty": 100.0},
    "table/mlp": {**TRAINING, **NO_NOISE, "hidden_sizes": [32], "learning_rate": 1e-2},
    "table/gradient-boosting": {"bags": 1, "l2": 0.0, "rounds": 60, "learning_rate": 0.2, "patience": 60},
}
BY_HEART = {"classification": ("accuracy", 0.95), "multi-label-classification": ("micro_f1", 0.95)}
# Bins of five rows and more know no single row by heart.
BY_HEART["classification/scorecard"] = ("accuracy", 0.85)
LONGER = {
    "table/gradient-boosting": {"rounds": 200, "min_rows_in_leaf": 1, "row_share": 1.0, "column_share": 1.0}
}
SHORTER = {
    "table/gradient-boosting": {"rounds": 5, "bags": 2},
    "image/mlp": {"augmentation": "strong", "flip": "all"},
    "image/cnn": {"augmentation": "strong", "flip": "all"},
}
