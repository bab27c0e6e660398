"""What a report shows of reasons: which columns speak against the rows that do not get the first label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.evaluation.figure import Figure, Key
from servery.evaluation.figures import ACCENT, SOFT, draw
from servery.evaluation.view import Case, View
from servery.models.reasons import column_parts, has_exact_reasons
from servery.tasks.classification import Classification
from servery.tasks.task import LearnableTask

TOP = 3
MOST_ROWS = 2_000
MOST_SHOWN = 15


class ReasonsView(View):
    """How often each column is the strongest reason, or one of three, against the label that most rows have."""

    name = "reasons"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task answers with one label."""
        return isinstance(task, Classification)

    def look(self, case: Case) -> dict[str, Any]:
        """Return the counts; nothing of models of more labels, or whose score is no sum over columns."""
        labels = case.predictor.signature.labels
        if len(labels) != 2 or not has_exact_reasons(case.predictor):
            return {}
        answers: list[Any] = case.predictor.decode(case.outputs)
        refused = np.flatnonzero([answer.label == labels[1] for answer in answers])[:MOST_ROWS]
        if not len(refused):
            return {}
        examples = list(case.test.take(refused).examples())
        _, names, parts = column_parts(case.predictor, examples, labels[0])
        order = np.argsort(parts, axis=1, kind="stable")[:, :TOP]
        speaks = np.take_along_axis(parts, order, axis=1) < 0
        columns: list[dict[str, Any]] = [
            {
                "column": name,
                "first": int((speaks[:, 0] & (order[:, 0] == place)).sum()),
                "named": int((speaks & (order == place)).sum()),
            }
            for place, name in enumerate(names)
        ]
        columns.sort(key=lambda column: (-column["named"], -column["first"], column["column"]))
        return {"label": labels[0], "other": labels[1], "rows": len(refused), "columns": columns}

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return one figure, or none."""
        return [_reasons(found)] if found else []


def _reasons(found: Mapping[str, Any]) -> Figure:
    rows, shown = found["rows"], [c for c in found["columns"] if c["named"]][:MOST_SHOWN]
    often = max(found["columns"], key=lambda column: int(column["first"]))

    def paint(axes: Any) -> None:
        names = [str(column["column"])[:24] for column in shown][::-1]
        axes.barh(names, [column["named"] / rows for column in shown][::-1], color=SOFT, height=0.6)
        axes.barh(names, [column["first"] / rows for column in shown][::-1], color=ACCENT, height=0.6)
        axes.set_xlabel(f"share of the rows answered {found['other']}")

    return Figure(
        f"Why not {found['label']}?",
        f"{rows:,} test rows were answered {found['other']}. What speaks most against {found['label']} is "
        f"{often['column']} in {often['first'] / rows:.0%} of them. A row's own reasons come with its explanation.",
        draw(paint, 5.2, 0.9 + 0.24 * len(shown), "reasons"),
        ("Column", "Strongest reason", f"One of the {TOP} strongest"),
        tuple(
            (
                c["column"],
                f"{c['first']:,} ({c['first'] / rows:.0%})",
                f"{c['named']:,} ({c['named'] / rows:.0%})",
            )
            for c in shown
        ),
        (Key("the strongest"), Key(f"one of {TOP}", "soft")),
    )


REASONS = ReasonsView()
