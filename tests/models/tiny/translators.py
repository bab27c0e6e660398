"""Tiny hyperparameters of the recipes that translate."""

from typing import Any

WRITER = {
    "batch_size": 16,
    "average_decay": 0.0,
    "patience": 50,
    "learning_rate": 1e-2,
    "label_smoothing": 0.0,
    "precision": "auto",
    "vocabulary_size": 300,
    "embedding_size": 32,
    "token_dropout": 0.0,
    "embedding_dropout": 0.0,
    "dropout": 0.0,
}
TINY: dict[str, dict[str, Any]] = {
    "translation/translation-memory": {},
    "translation/seq2seq-rnn": {**WRITER, "hidden_size": 64},
    "translation/seq2seq-attention": {**WRITER, "hidden_size": 64},
    "translation/seq2seq-transformer": {
        **WRITER,
        "learning_rate": 4e-3,
        "embedding_size": 64,
        "inner_size": 96,
        "heads": 2,
        "num_layers": 1,
    },
    "language-identification/lingua": {"accuracy": "low", "languages": "data"},
}
BY_HEART = {"translation": ("bleu", 95.0), "language-identification": ("accuracy", 0.95)}
LONGER = {"translation/seq2seq-rnn": {"epochs": 120, "batch_size": 4, "hidden_size": 96}}
"""One vector for a whole sentence takes longer to fill."""
