"""Tiny hyperparameters of the recipes that summarize."""

from typing import Any

RANKER = {"rounds": 40, "learning_rate": 0.2}
TINY: dict[str, dict[str, Any]] = {
    "summarization/lead": {},
    "summarization/textrank": {},
    "summarization/sentence-ranker": RANKER,
    "summarization/phrase-ranker": RANKER,
    "summarization/pointer-generator": {
        "batch_size": 16,
        "average_decay": 0.0,
        "patience": 50,
        "learning_rate": 1e-2,
        "precision": "auto",
        "vocabulary_size": 400,
        "max_tokens": 128,
        "embedding_size": 32,
        "hidden_size": 64,
        "token_dropout": 0.0,
        "embedding_dropout": 0.0,
        "dropout": 0.0,
        "coverage": 0.1,
    },
}
BY_HEART = {
    "summarization": ("rouge_l", 90.0),
    "summarization/lead": ("rouge_l", 30.0),
    "summarization/textrank": ("rouge_l", 25.0),
    "summarization/sentence-ranker": ("rouge_l", 70.0),
    "summarization/pointer-generator": ("rouge_l", 80.0),
}
"""Whoever only chooses whole sentences, or learns nothing, cannot know rows by heart."""
LONGER = {"summarization/pointer-generator": {"epochs": 26, "batch_size": 4}}
ENOUGH = {"summarization/pointer-generator": {"epochs": 4, "batch_size": 8}}
"""Texts are written after every epoch, which takes longer than the steps."""
