"""Answers in the hands of their user: a list that knows its model, its cost and its warnings."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from servery.schemas import Notice


@dataclass(frozen=True)
class Prediction(Sequence[dict[str, Any]]):
    """The answers, one an input, like a list; with what they cost and what to know about them.

    Attributes:
        outputs: The answers.
        model: The version that answered, "name@3".
        task: The Hub's name of the task.
        usage: The model's own unit to how many, and "compute_seconds".
        warnings: What to know about the answers.
        id: Id of the request, for questions to the operator.
    """

    outputs: list[dict[str, Any]]
    model: str = ""
    task: str = ""
    usage: dict[str, float] = field(default_factory=dict)
    warnings: list[Notice] = field(default_factory=list)
    id: str = ""

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self.outputs[place]

    def __len__(self) -> int:
        return len(self.outputs)

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>&#9888; {html.escape(notice.message)}</p>" for notice in self.warnings)
        rows = "".join(f"<tr><td>{i}</td><td>{_html(o)}</td></tr>" for i, o in enumerate(self.outputs[:100]))
        return (
            f"<p><b>{html.escape(self.model)}</b> &middot; {html.escape(self.task)}</p>{notes}"
            f"<table><tr><th>input</th><th>answer</th></tr>{rows}</table>"
        )


def _html(output: Mapping[str, Any]) -> str:
    labels = output.get("labels") or []
    if not labels:
        return f"<code>{html.escape(json.dumps(output, ensure_ascii=False)[:1000])}</code>"
    return "<br>".join(f"{html.escape(str(p['label']))} {p['score']:.3f}" for p in labels[:10])
