"""The categories that OpenAI's clients expect of a moderation, and how the labels of a model fill them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from servery.errors import InputError
from servery.tasks.classification import ClassificationAnswer
from servery.tasks.multi_label_classification import MultiLabelAnswer
from servery.tasks.task import Answer

CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""The client refuses an answer that lacks one of them, and keeps those that it does not know."""

Labels = list[tuple[str, float, bool]]
"""A label, its score, and whether it is what the model says."""


def unwanted_labels(task: str, labels: Sequence[str], named: Sequence[str] | None) -> frozenset[str]:
    """Return which labels of a model mean something unwanted.

    Args:
        task: Name of the model's task.
        labels: What the model answers.
        named: Those that the caller names; else all of a multi-label model, and of a classifier with one label an input
            those that are OpenAI's categories.

    Raises:
        InputError: The caller names one that the model has not, or none is known to be unwanted.
    """
    if named is not None:
        for place, label in enumerate(named):
            if label not in labels:
                raise InputError(
                    f"This model has no label {label!r}. It answers: {', '.join(labels)}.",
                    param=f"/unwanted/{place}",
                )
        return frozenset(named)
    found = frozenset(labels if task == "multi-label-classification" else set(labels) & set(CATEGORIES))
    if not found:
        raise InputError(
            f"None of this model's labels is known to be unwanted. It answers: {', '.join(labels)}.",
            hint='name them: {"unwanted": ["..."]}',
            param="/unwanted",
        )
    return found


def labels_of(answer: Answer) -> Labels:
    """Return the labels of a classifier's answer; of one label an input, the best is what it says."""
    if isinstance(answer, MultiLabelAnswer):
        return [(pair.label, pair.score, pair.selected) for pair in answer.labels]
    assert isinstance(answer, ClassificationAnswer)
    return [(pair.label, pair.score, pair.label == answer.label) for pair in answer.labels]


def moderation_of(answer: Answer, unwanted: frozenset[str], kind: str) -> dict[str, Any]:
    """Return one result in OpenAI's shape; a category that the model does not judge applies to no kind of input.

    >>> from servery.tasks.multi_label_classification import SelectedLabel
    >>> found = MultiLabelAnswer((SelectedLabel("hate", 0.9, True),))
    >>> result = moderation_of(found, frozenset({"hate"}), "text")
    >>> result["flagged"], result["category_scores"]["hate"], result["category_applied_input_types"]["sexual"]
    (True, 0.9, [])
    """
    judged = {label: (score, said) for label, score, said in labels_of(answer) if label in unwanted}
    names = [*CATEGORIES, *sorted(unwanted - set(CATEGORIES))]
    return {
        "flagged": any(said for _, said in judged.values()),
        "categories": {name: judged.get(name, (0.0, False))[1] for name in names},
        "category_scores": {name: judged.get(name, (0.0, False))[0] for name in names},
        "category_applied_input_types": {name: [kind] if name in judged else [] for name in names},
    }
