"""Evaluates a registered version again: on its own test part, on other data, or by cross-validation."""

from __future__ import annotations

from typing import Any

from servery.data.checks import check
from servery.data.dataset import Dataset
from servery.data.split_leaks import find_split_leaks
from servery.errors import DataError
from servery.evaluation import cross_validation
from servery.evaluation import evaluate as evaluation_of
from servery.evaluation.cross_validation import CrossValidation
from servery.evaluation.evaluate import Evaluation
from servery.fields._field import find_field
from servery.models.predictor import Predictor
from servery.pipeline.fit import Means, calibrated, fit
from servery.pipeline.lineage import facts_of
from servery.pipeline.plan import Plan
from servery.pipeline.source import open_data, read_for
from servery.pipeline.train import parts_of
from servery.pipeline.workspace import Workspace
from servery.progress import Progress, Silence
from servery.registry.version import Version

PLAN_FILE = "plan.toml"


def evaluate(
    reference: str,
    workspace: Workspace | None = None,
    *,
    data: str = "",
    progress: Progress | None = None,
) -> tuple[Evaluation, dict[str, Any]]:
    """Evaluate a version and return the evaluation with the facts its report needs.

    Args:
        reference: "name", "name@3" or "name@alias".
        workspace: Where it is registered; None opens the default data home.
        data: Other data to measure on, every row of it; empty for the version's own test part.
        progress: Hears the news.

    Raises:
        DataError: The data changed since the training (another fingerprint), or has no such target.
    """
    workspace, progress = workspace or Workspace.open(), progress or Silence()
    version = workspace.registry.resolve(reference)
    workspace.registry.verify(reference)
    predictor = Predictor.load(version.folder, workspace.settings.threads)
    plan = _plan_of(version, predictor, data)
    field = find_field(plan.field)
    offer = field.offer_for(plan.task, plan.data)
    if data:
        dataset = open_data(offer, data, workspace.settings.data, target=plan.target, kinds=_kinds(predictor))
        parts = parts_of(read_for(plan, offer, workspace.settings.data), plan)
        # Of a model that was made elsewhere nobody knows what it learned from: it is measured as ours are.
        test = dataset if (version.folder / PLAN_FILE).exists() else parts.test
    else:
        dataset = _same_data(plan, workspace, version.lineage)
        parts = parts_of(dataset, plan)
        test = parts.test
    progress.say("Evaluate", f"{version.reference} on {len(test):,} rows of {dataset.source.name}")
    facts = facts_of(plan, field, dataset, parts)
    findings = (*check(dataset), *find_split_leaks(parts))
    return evaluation_of.evaluate(
        predictor, test, parts.train, findings=findings, facts=facts, seed=plan.seed
    ), facts


def cross_validate(
    reference: str,
    folds: int,
    workspace: Workspace | None = None,
    *,
    repeats: int = 1,
    progress: Progress | None = None,
) -> CrossValidation:
    """Make a version's model again `folds` times, each time measured on another fold.

    Args:
        reference: "name", "name@3" or "name@alias".
        folds: How many, 2 or more.
        workspace: Where it is registered; None opens the default data home.
        repeats: How often the rows are dealt out to folds anew.
        progress: Hears the news.

    Raises:
        DataError: Fewer than two folds, or the data changed since the training.
    """
    if folds < 2:
        raise DataError(
            f"{folds} folds were asked for; cross-validation needs 2 or more.", param="cross_validate"
        )
    workspace, progress = workspace or Workspace.open(), progress or Silence()
    version = workspace.registry.resolve(reference)
    plan = Plan.read(version.folder / PLAN_FILE)
    dataset = _same_data(plan, workspace, version.lineage)
    means = Means(workspace.threads(plan.threads), plan.deadline_seconds or None, None, progress)

    def make(train_part: Dataset, validation: Dataset) -> Predictor:
        learned = fit(plan, train_part, validation, means).predictor
        return calibrated(learned, validation, plan)

    return cross_validation.cross_validate(make, dataset, folds, plan.seed, progress, repeats)


def _plan_of(version: Version, predictor: Predictor, data: str) -> Plan:
    """Return the plan of a version; of one that was made elsewhere, what its training on that data would have been.

    Raises:
        DataError: It was made elsewhere, and no data is named.
    """
    if (version.folder / PLAN_FILE).exists():
        return Plan.read(version.folder / PLAN_FILE)
    if not data:
        raise DataError(
            f"{version.reference} was made elsewhere: it has no test part of its own.",
            hint="give the data to measure on with --data",
            param="data",
        )
    return Plan(name=version.name, field=predictor.signature.field, data=data, task=version.task)


def _kinds(predictor: Predictor) -> dict[str, str]:
    return {column.name: column.kind.value for column in predictor.signature.inputs}


def _same_data(plan: Plan, workspace: Workspace, lineage: dict[str, Any]) -> Dataset:
    dataset = read_for(plan, find_field(plan.field).offer_for(plan.task, plan.data), workspace.settings.data)
    if dataset.source.fingerprint != lineage["data_fingerprint"]:
        raise DataError(
            f"{plan.data} is not the data this version was trained on: its fingerprint is "
            f"{dataset.source.fingerprint[:12]}, then it was {str(lineage['data_fingerprint'])[:12]}.",
            hint="give the data to measure on with --data",
            param="data",
        )
    return dataset
