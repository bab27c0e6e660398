"""Writes an evaluation as one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from servery.evaluation import sections
from servery.evaluation.cross_validation import CrossValidation
from servery.evaluation.evaluation import Evaluation
from servery.evaluation.metric_names import meaning_of, title_of
from servery.evaluation.view import all_views

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(
    evaluation: Evaluation, facts: Mapping[str, Any], cross_validation: CrossValidation | None = None
) -> str:
    """Return the report as HTML.

    Args:
        evaluation: What was found.
        facts: What else is known, each part optional: name, field_title, is_sample, limits_of_use, split (policy,
            reason, train, validation, test), plan (TOML), lineage, environment.
        cross_validation: Shown if given.
    """
    pairs = [sections.roc(evaluation), sections.precision_recall(evaluation)]
    beliefs = [sections.reliability(evaluation), sections.thresholds(evaluation)]
    return _TEMPLATES.get_template("report.html").render(
        evaluation=evaluation,
        facts=facts,
        name=str(facts.get("name") or "Model"),
        field_title=dict(facts.get("field_title") or {}),
        split=dict(facts.get("split") or {}),
        lineage={key: _plain(value) for key, value in dict(facts.get("lineage") or {}).items()},
        environment=dict(facts.get("environment") or {}),
        headline=sections.headline(evaluation),
        title_of=title_of,
        meaning_of=meaning_of,
        confusion=sections.confusion(evaluation),
        ranking=[figure for figure in pairs if figure],
        beliefs=[figure for figure in beliefs if figure],
        learning=sections.learning(evaluation),
        views=[
            f
            for view in all_views()
            if view.name in evaluation.views
            for f in view.figures(evaluation.views[view.name])
        ],
        slices=sections.slices(evaluation),
        folds=sections.folds(cross_validation),
        svg=Markup,
        is_picture=lambda uri: uri.startswith("data:image/png;base64,"),
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
