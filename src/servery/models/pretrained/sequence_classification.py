"""Texts with one label or several, by encoders with a head of their own."""

from __future__ import annotations

from servery.models.encoders.pretrained_tokens import PretrainedTokens
from servery.models.predictor import Predictor
from servery.models.pretrained_kind import PretrainedFolder, PretrainedKind, text_columns
from servery.models.runtimes.hugging_face import HuggingFace
from servery.models.signature import Signature
from servery.tasks.task import Calibration

SEVERAL = "multi_label_classification"


class SequenceClassification(PretrainedKind):
    """`...ForSequenceClassification` with two labels or more."""

    name = "sequence_classification"
    tasks = ("classification", "multi-label-classification")
    auto_class = "AutoModelForSequenceClassification"

    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it is a classifier of texts with labels."""
        return folder.architecture.endswith("ForSequenceClassification") and len(folder.labels) > 1

    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model; whether several labels may fit is told by its `problem_type`."""
        has_several = folder.config.get("problem_type") == SEVERAL
        signature = Signature(
            task=self.tasks[1] if has_several else self.tasks[0],
            field=folder.field or "natural-language-processing",
            inputs=text_columns("text"),
            labels=folder.labels,
            target="label",
            example="A short text.",
        )
        encoder = PretrainedTokens(["text"], folder.tokenizer, folder.longest_tokens)
        runtime = HuggingFace(folder.path, self.name)
        thresholds = (0.5,) * len(folder.labels) if has_several else ()
        return Predictor(signature, encoder, runtime, Calibration(thresholds=thresholds), recipe="pretrained")


SEQUENCE_CLASSIFICATION = SequenceClassification()
