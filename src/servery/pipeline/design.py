"""Makes a designer of models: asked for designs within limits, it searches what the models predict."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError
from servery.models.encoders.briefs import Briefs
from servery.models.predictor import Predictor
from servery.models.runtimes.design_search import DesignSearch
from servery.models.signature import Limits, Signature
from servery.pipeline.lineage import environment
from servery.pipeline.workspace import Workspace
from servery.registry.names import checked_name
from servery.registry.registry import Version
from servery.tasks.design_generation import BRIEF, DESIGN_GENERATION
from servery.tasks.regression import REGRESSION
from servery.tasks.task import Calibration

FIELD = "ai-assisted-design"
MOST_BRIEFS = 4
"""In one request: each is a search of its own, which takes seconds."""
RECIPE = "design-search"


def make_designer(
    name: str,
    models: Sequence[str],
    *,
    workspace: Workspace | None = None,
    aliases: Sequence[str] = (),
    actor: str = "local",
) -> Version:
    """Register a model of the task design-generation that searches what regression models predict.

    The models' versions of this moment are copied into it: it answers the same whatever becomes of them.

    Args:
        name: Name in the registry.
        models: References of regression models over the same dimensions; each predicts its target.
        workspace: Where they are registered; None opens the default data home.
        aliases: Aliases the version gets at once.
        actor: Who is named in the audit.

    Raises:
        ModelNotFoundError: There is no model of that name.
        InputError: One is no regression model, two predict the same, or a dimension cannot be searched.
    """
    checked_name(name)
    workspace = workspace or Workspace.open()
    versions = [workspace.registry.resolve(reference) for reference in models]
    surrogates: dict[str, Predictor] = {}
    for version in versions:
        predictor = Predictor.load(version.folder, workspace.settings.threads)
        signature = predictor.signature
        if signature.task != REGRESSION.name:
            raise InputError(
                f"{version.reference} answers {signature.task}; a designer is made of regression."
            )
        if signature.target in surrogates:
            raise InputError(f"Two models predict {signature.target!r}; name one of them.")
        surrogates[signature.target] = predictor
    if not surrogates:
        raise InputError("A designer is made of at least one regression model.", param="models")
    predictor = designer_of(surrogates)
    with tempfile.TemporaryDirectory(dir=workspace.settings.home) as folder:
        predictor.save(Path(folder))
        (Path(folder) / "README.md").write_text(_card(name, versions), encoding="utf-8")
        return workspace.registry.register(
            name, Path(folder), _facts(predictor, versions), actor=actor, aliases=aliases
        )


def designer_of(surrogates: dict[str, Predictor]) -> Predictor:
    """Return the model that searches what these predict, by the names of the quantities.

    Raises:
        InputError: A dimension cannot be searched.
    """
    runtime = DesignSearch(surrogates)
    quantities = list(surrogates)
    encoder = Briefs(runtime.dimensions, quantities, runtime.envelope)
    signature = Signature(
        task=DESIGN_GENERATION.name,
        field=FIELD,
        inputs=(Column(BRIEF, Kind.BRIEF, Role.INPUT),),
        limits=Limits(max_inputs=MOST_BRIEFS),
        example={"objectives": {quantities[0]: "min"}, "limits": {}, "fixed": {}},
    )
    reason = "asks the models it is made of"
    return Predictor(signature, encoder, runtime, Calibration(), RECIPE, reason)


def _facts(predictor: Predictor, versions: Sequence[Version]) -> dict[str, Any]:
    lineages = [version.lineage for version in versions]
    notices = dict.fromkeys(str(lineage["notice"]) for lineage in lineages if lineage.get("notice"))
    return {
        "task": predictor.signature.task,
        "field": predictor.signature.field,
        "recipe": predictor.recipe,
        "lineage": {
            "source": "made of " + ", ".join(version.reference for version in versions),
            "is_sample": any(lineage.get("is_sample") for lineage in lineages),
            "is_trustworthy": all(lineage.get("is_trustworthy", True) for lineage in lineages),
            "verdict": "as good as the models it is made of; see their reports",
            "environment": environment(),
            **({"notice": " ".join(notices)} if notices else {}),
        },
    }


def _card(name: str, versions: Sequence[Version]) -> str:
    return f"""---
pipeline_tag: design-generation
library_name: servery
---
# {name}

Searches for designs by what {", ".join(version.reference for version in versions)} predict. A quantity keeps its limits
only with its whole interval. Build or simulate what is chosen before anybody relies on it.
"""
