"""Named pieces of texts, by encoders that label every token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.encoders.pretrained_places import PretrainedPlaces
from servery.models.predictor import Predictor
from servery.models.pretrained_kind import PretrainedFolder, PretrainedKind, text_columns
from servery.models.runtimes.hugging_face import HuggingFace
from servery.models.signature import Signature
from servery.tasks.task import Calibration

NEVER = -1e4
OUTSIDE = "O"


class TokenClassification(PretrainedKind):
    """`...ForTokenClassification` with tags B-, I- and O, or plain labels and O."""

    name = "token_classification"
    tasks = ("tagging",)
    auto_class = "AutoModelForTokenClassification"

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it labels tokens."""
        return folder.architecture.endswith("ForTokenClassification")

    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model; its tags become labels.

        Raises:
            ArtifactError: It has no tag for what is outside.
        """
        if OUTSIDE not in folder.labels:
            raise ArtifactError(
                f"The labels of {folder.path.name} are {', '.join(folder.labels[:10])}; one must be 'O', for outside.",
            )
        labels = tuple(sorted({_label(tag) for tag in folder.labels if tag != OUTSIDE}))
        signature = Signature(
            task=self.tasks[0],
            field=folder.field or "natural-language-processing",
            inputs=text_columns("text"),
            labels=labels,
            target="spans",
            example="Ada Lovelace lived in London.",
        )
        encoder = PretrainedPlaces(["text"], folder.tokenizer, folder.longest_tokens)
        runtime = HuggingFace(folder.path, self.name, {"tags": list(folder.labels), "labels": list(labels)})
        return Predictor(signature, encoder, runtime, Calibration(), "pretrained")

    def outputs(
        self, found: Mapping[str, np.ndarray], batch: Batch, settings: Mapping[str, Any], folder: Path
    ) -> np.ndarray:
        """Return chains of tags, see `tasks._chains`: any tag may follow any, the words' own say decides.

        A piece of a word that is no beginning of one takes what the word's first piece says.
        """
        labels: Sequence[str] = settings["labels"]
        count = 1 + 2 * len(labels)
        emissions = np.full((*found["logits"].shape[:2], count), NEVER, np.float32)
        for place, tag in enumerate(settings["tags"]):
            for own in _tags(tag, labels):
                emissions[:, :, own] = np.maximum(emissions[:, :, own], found["logits"][:, :, place])
        rows = np.empty(len(emissions), object)
        for row, (places, own) in enumerate(zip(batch["places"], emissions, strict=True)):
            is_first = places[:, 1] > places[:, 0]
            words = np.concatenate([places[is_first], own[is_first]], axis=1)
            rows[row] = np.concatenate([np.zeros((count, 2 + count)), words]).astype(np.float32)
        return rows


def _label(tag: str) -> str:
    return tag[2:] if tag[:2] in ("B-", "I-") else tag


def _tags(tag: str, labels: Sequence[str]) -> tuple[int, ...]:
    """Return which of our tags one of a model's is; a label without B- or I- begins and goes on."""
    if tag == OUTSIDE:
        return (0,)
    begin = 1 + 2 * labels.index(_label(tag))
    return {"B-": (begin,), "I-": (begin + 1,)}.get(tag[:2], (begin, begin + 1))


TOKEN_CLASSIFICATION = TokenClassification()
