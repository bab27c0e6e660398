"""Texts as vectors, by encoders without a head."""

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
from servery.models.sentence_encoders import pooling_of, read_sentence_encoder
from servery.models.signature import Signature
from servery.tasks.task import Calibration

ENCODERS = (
    "bert",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "mpnet",
    "electra",
    "albert",
    "deberta-v2",
    "modernbert",
)
"""Values of `model_type` whose bare networks are encoders of texts."""


class SentenceEmbeddings(PretrainedKind):
    """Encoders of texts as Sentence Transformers has them, and bare ones: the mean of the tokens' vectors."""

    name = "sentence_embedding"
    tasks = ("sentence-embedding",)
    auto_class = "AutoModel"

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it is a bare encoder of texts."""
        return folder.config.get("model_type") in ENCODERS and (
            folder.architecture.endswith("Model") or (folder.path / "modules.json").exists()
        )

    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model: by our own network where that has its shape, else by the library."""
        if folder.config["model_type"] == "bert" and folder.config.get("hidden_act", "gelu") == "gelu":
            return read_sentence_encoder(folder.path, folder.field or "natural-language-processing")
        signature = Signature(
            task=self.tasks[0],
            field=folder.field or "natural-language-processing",
            inputs=text_columns("text"),
            example="A short text.",
        )
        told = folder.read_json("sentence_bert_config.json").get("max_seq_length")
        longest = min(told or folder.longest_tokens, folder.longest_tokens)
        encoder = PretrainedTokens(["text"], folder.tokenizer, longest)
        runtime = HuggingFace(folder.path, self.name, {"pooling": pooling_of(folder.path)})
        return Predictor(signature, encoder, runtime, Calibration(), "pretrained")

    def outputs(
        self, found: Mapping[str, np.ndarray], batch: Batch, settings: Mapping[str, Any], folder: Path
    ) -> np.ndarray:
        """Return tokens read, then the vector, float32, (rows, 1 + size)."""
        is_token = batch["is_token"][:, :, None].astype(np.float32)  # (rows, length, 1)
        vectors = found["last_hidden_state"]  # (rows, length, size)
        counts = is_token.sum(axis=1)
        pooled = (
            vectors[:, 0] if settings["pooling"] == "first" else (vectors * is_token).sum(axis=1) / counts
        )
        return np.concatenate([counts, pooled], axis=1).astype(np.float32)


SENTENCE_EMBEDDING = SentenceEmbeddings()
