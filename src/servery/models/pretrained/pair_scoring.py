"""How well a document answers a query, by encoders that read both together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from servery.models.encoder import Batch
from servery.models.encoders.pretrained_tokens import PretrainedTokens
from servery.models.predictor import Predictor
from servery.models.pretrained_kind import PretrainedFolder, PretrainedKind, text_columns
from servery.models.runtimes.hugging_face import HuggingFace
from servery.models.signature import Signature
from servery.tasks.task import Calibration


class PairScoring(PretrainedKind):
    """`...ForSequenceClassification` with one label: how well a document answers a query."""

    name = "pair_scoring"
    tasks = ("text-ranking",)
    auto_class = "AutoModelForSequenceClassification"

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it puts out one number."""
        return folder.architecture.endswith("ForSequenceClassification") and len(folder.labels) == 1

    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model."""
        signature = Signature(
            task=self.tasks[0],
            field=folder.field or "natural-language-processing",
            inputs=text_columns("query", "document"),
            example={"query": "A question?", "document": "An answer."},
        )
        encoder = PretrainedTokens(["query", "document"], folder.tokenizer, folder.longest_tokens)
        return Predictor(signature, encoder, HuggingFace(folder.path, self.name), Calibration(), "pretrained")

    def outputs(
        self, found: Mapping[str, np.ndarray], batch: Batch, settings: Mapping[str, Any], folder: Path
    ) -> np.ndarray:
        """Return tokens read and logit, float32, (rows, 2)."""
        counts = batch["is_token"].sum(axis=1, keepdims=True)
        return np.concatenate([counts, found["logits"]], axis=1).astype(np.float32)


PAIR_SCORING = PairScoring()
