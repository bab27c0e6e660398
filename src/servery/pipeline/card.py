"""What a person finds in an artifact: the model card with the Hub's metadata, and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from servery.evaluation.evaluate import Evaluation
from servery.evaluation.report import render
from servery.models.predictor import Predictor


def write_card(
    folder: Path, predictor: Predictor, evaluation: Evaluation, facts: dict[str, Any], seconds: float
) -> None:
    """Write `README.md`, `evaluation.json` and `report.html` into an artifact's folder."""
    (folder / "README.md").write_text(card(predictor, evaluation, facts, seconds), encoding="utf-8")
    text = json.dumps(
        {"evaluation": evaluation.to_dict(), "facts": facts}, ensure_ascii=False, allow_nan=False
    )
    (folder / "evaluation.json").write_text(text, encoding="utf-8")
    (folder / "report.html").write_text(render(evaluation, facts), encoding="utf-8")


def card(predictor: Predictor, evaluation: Evaluation, facts: dict[str, Any], seconds: float) -> str:
    """Return the model card: YAML metadata as the Hub reads it, then what a reader should know."""
    signature = predictor.signature
    lineage = facts["lineage"]
    header = {
        "pipeline_tag": predictor.task.hub_name(signature.kinds),
        "library_name": "servery",
        "tags": [signature.field, predictor.recipe, *(["sample-data"] if facts["is_sample"] else [])],
        "datasets": [lineage["data"]],
    }
    yaml = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in header.items())
    warning = "**Trained on generated sample data: for trying out only.**\n\n" if facts["is_sample"] else ""
    metrics = "\n".join(f"| {name} | {text} |" for name, text in evaluation.headline())
    columns = "\n".join(f"- `{c.name}` ({c.kind})" for c in signature.inputs)
    return f"""---
{yaml}
---
# {facts["name"]}

{warning}{evaluation.verdict}

| metric on {evaluation.rows:,} test rows | value |
|---|---|
{metrics}

## What it takes and answers

{columns}

It answers: {", ".join(signature.labels[:30])}{" ..." if len(signature.labels) > 30 else ""}.
{_decision(predictor)}
## What it must not be used for

{facts["limits_of_use"]}

## How it was made

Recipe `{predictor.recipe}` on `{lineage["data"]}` ({lineage["data_rows"]:,} rows, fingerprint
`{lineage["data_fingerprint"][:16]}`), {facts["split"]["reason"]}; {seconds:.0f} s.
Served by `{predictor.runtime.name}`: {predictor.runtime_reason or "the runtime it was learned in"}.
The plan is in `plan.toml`, the whole evaluation in `report.html`.
"""


def _decision(predictor: Predictor) -> str:
    point = predictor.calibration.operating_point
    if point is None:
        return ""
    label = predictor.signature.labels[point.positive]
    chosen = f", chosen for {point.words} on" if point.words else ": no goal was stated for it;"
    rows = f"{point.positives:,} validation rows with it and {point.negatives:,} without"
    return f"`{label}` is said from a score of {point.threshold:.3f} on{chosen} {rows}.\n"
