"""A starter model for every field, trained at the first start from the best data at hand."""

from __future__ import annotations

from servery.data.dataset import Dataset
from servery.errors import ModelNotFoundError
from servery.fields._field import Field, all_fields
from servery.pipeline.plan import Plan
from servery.pipeline.source import best_at_hand
from servery.pipeline.train import Trained, train
from servery.pipeline.workspace import Workspace
from servery.progress import Progress

STARTER_ROWS = 4_000
"""Training rows of a starter: its point is an answer within a minute, not the best score."""
STARTER_SECONDS = 40.0
"""Wall-clock limit of a starter on a slow or busy machine; elsewhere they end by themselves in 1 to 15 seconds."""


def missing_starters(workspace: Workspace) -> tuple[Field, ...]:
    """Return the fields that have no starter yet, in the order of their names."""
    return tuple(field for field in all_fields().values() if not _exists(field.name, workspace))


def train_starter(field: Field, workspace: Workspace, progress: Progress) -> Trained:
    """Train and register the field's starter under the field's own name, served as production."""
    name, dataset = best_at_hand(field.offers[0], workspace.settings.data)
    plan = starter_plan(field, name, dataset)
    return train(
        plan, workspace, dataset=dataset, progress=progress, aliases=("production",), actor="starter"
    )


def starter_plan(field: Field, data: str, dataset: Dataset) -> Plan:
    """Return the plan of a field's starter on that data."""
    offer = field.offers[0]
    return Plan(
        name=field.name,
        field=field.name,
        data=data,
        target=dataset.target.name,
        task=offer.tasks[0] if len(offer.tasks) == 1 else "",
        recipe=offer.starter_recipe,
        deadline_seconds=STARTER_SECONDS,
        max_rows=STARTER_ROWS,
        hyperparameters=dict(offer.starter_hyperparameters or {}),
        reason=f"{offer.starter_recipe}: the field's quick start",
    )


def _exists(name: str, workspace: Workspace) -> bool:
    try:
        workspace.registry.resolve(name)
    except ModelNotFoundError:
        return False
    return True
