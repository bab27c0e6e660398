"""From a plan to a registered version, in one readable function."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.checks import Finding, check
from servery.data.dataset import Dataset
from servery.data.splits import Split, split
from servery.evaluation.evaluate import Evaluation, evaluate
from servery.fields._field import Field, find_field
from servery.models.predictor import Predictor
from servery.models.recipe import Budget, Hyperparameters, Made, Recipe, Work, find_recipe
from servery.optimize.export import export_to_onnx
from servery.pipeline.advice import complete, form_of
from servery.pipeline.card import write_card
from servery.pipeline.lineage import environment, lineage_of
from servery.pipeline.plan import Plan
from servery.pipeline.source import read_for
from servery.pipeline.workspace import Workspace
from servery.progress import Progress, Silence
from servery.registry.registry import Version
from servery.tasks.form import form_for
from servery.tasks.task import find_task
from servery.training.trainer import Trainer

BASELINE_ROWS = 5_000
"""Training rows of the cheap baseline: enough to be hard to beat, few enough to cost seconds."""
BASELINE_SECONDS = 6.0
"""Least time of the cheap baseline under a deadline: what torch loads at its first step takes half of it."""
AFTERWARDS_SHARE = 0.4
"""Share of a deadline kept for what follows the fit: calibration, export, evaluation, report."""
AFTERWARDS_SECONDS = 15.0
"""Most seconds of a deadline kept for what follows the fit."""
EXPORT_SECONDS = 7.0
"""An export takes 3 to 6 s on two cores; with less than this left of a deadline it is not begun."""


@dataclass(frozen=True)
class Trained:
    """What a training gives: the registered version, what it is worth, and the plan that makes it again."""

    version: Version
    evaluation: Evaluation
    plan: Plan
    findings: tuple[Finding, ...]
    seconds: float

    def _repr_html_(self) -> str:
        return f"<h4>{self.version.reference}</h4>{self.evaluation._repr_html_()}"


def train(
    plan: Plan,
    workspace: Workspace | None = None,
    *,
    dataset: Dataset | None = None,
    progress: Progress | None = None,
    aliases: Sequence[str] = (),
    actor: str = "local",
) -> Trained:
    """Train, evaluate and register one version.

    A training that was stopped (by a signal, a crash or a power cut) continues when the same plan on the
    same data is trained again.

    Args:
        plan: What to do; what it leaves open is chosen and written into the artifact's plan.
        workspace: Where to register; None opens the default data home.
        dataset: The data, already read; None reads what the plan names.
        progress: Hears the news.
        aliases: Aliases the new version gets at once.
        actor: Who is named in the audit.

    Raises:
        DataError: The data or the plan cannot be used.
        InterruptedTrainingError: A signal stopped it; its state is saved.
    """
    started = time.monotonic()
    workspace, progress = workspace or Workspace.open(), progress or Silence()
    field = find_field(plan.field)
    dataset = dataset if dataset is not None else read_for(plan, field, workspace.settings.data)
    threads = plan.threads or workspace.settings.training_threads or os.cpu_count() or 1
    plan = complete(plan, field, dataset, threads)
    findings = check(dataset)
    parts = parts_of(dataset, plan)
    _say_data(progress, dataset, findings, parts, plan)

    recipe = find_recipe(plan.recipe, form_of(dataset))
    folder = workspace.run_folder(plan.name, _identity(plan, dataset))
    baseline = _cheap_baseline(plan, field, recipe, parts, threads, progress)
    made = _make(plan, recipe, parts, threads, folder, _left_for_fit(plan, started), progress)
    has_time = not plan.deadline_seconds or _left(plan, started) > EXPORT_SECONDS
    predictor = _finish(plan, field, made, parts, has_time, progress)

    facts = facts_of(plan, field, dataset, parts)
    progress.say("Evaluate", f"{len(parts.test):,} test rows, never seen in training")
    evaluation = evaluate(
        predictor,
        parts.test,
        parts.train,
        cheap_baseline=baseline,
        findings=findings,
        history=made.history,
        facts=facts,
        seed=plan.seed,
    )
    seconds = time.monotonic() - started
    staged = _stage(folder, predictor, evaluation, plan, facts, seconds)
    version = workspace.registry.register(
        plan.name, staged, _manifest_facts(plan, evaluation, facts, seconds), actor=actor, aliases=aliases
    )
    shutil.rmtree(folder, ignore_errors=True)
    return Trained(version, evaluation, plan, findings, seconds)


def make_predictor(
    plan: Plan, field: Field, train_part: Dataset, validation: Dataset, threads: int, progress: Progress
) -> Predictor:
    """Fit and calibrate once, without checkpoints; what cross-validation repeats."""
    recipe = find_recipe(plan.recipe, form_of(train_part))
    work = _work(plan, recipe, train_part, validation, threads, None, plan.deadline_seconds or None, progress)
    made = recipe.make(work)
    return _calibrated(made.predictor, validation)


def facts_of(plan: Plan, field: Field, dataset: Dataset, parts: Split) -> dict[str, Any]:
    """Return what a report and a manifest tell besides the figures: lineage, split, limits of use."""
    return {
        "name": plan.name,
        "field": field.name,
        "field_title": dict(field.title),
        "limits_of_use": field.limits_of_use,
        "is_sample": dataset.source.is_sample,
        "split": {
            "policy": parts.policy,
            "reason": parts.reason,
            "notes": list(parts.notes),
            "dropped": dict(parts.dropped),
            "train": len(parts.train),
            "validation": len(parts.validation),
            "test": len(parts.test),
        },
        "plan": plan.to_toml(),
        "lineage": lineage_of(dataset, plan),
        "environment": environment(),
    }


def parts_of(dataset: Dataset, plan: Plan) -> Split:
    """Split the data as the plan says, the same way every time."""
    parts = split(dataset, plan.split, plan.seed)
    if not plan.max_rows or plan.max_rows >= len(parts.train):
        return parts
    generator = np.random.default_rng(plan.seed)

    def some(part: Dataset, rows: int) -> Dataset:
        kept = generator.permutation(len(part))[:rows]
        return part.take(np.sort(kept))

    other = max(plan.max_rows // 4, 100)
    return replace(
        parts,
        train=some(parts.train, plan.max_rows),
        validation=some(parts.validation, other),
        test=some(parts.test, other),
        reason=f"{parts.reason}; a seeded choice of at most {plan.max_rows:,} training rows",
    )


def _identity(plan: Plan, dataset: Dataset) -> str:
    text = plan.with_changes(reason="").to_toml() + dataset.source.fingerprint
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _left_for_fit(plan: Plan, started: float) -> float | None:
    if not plan.deadline_seconds:
        return None
    kept = min(AFTERWARDS_SHARE * plan.deadline_seconds, AFTERWARDS_SECONDS)
    return max(_left(plan, started) - kept, 1.0)


def _left(plan: Plan, started: float) -> float:
    return plan.deadline_seconds - (time.monotonic() - started)


def _work(
    plan: Plan,
    recipe: Recipe,
    train_part: Dataset,
    validation: Dataset,
    threads: int,
    folder: Path | None,
    deadline_seconds: float | None,
    progress: Progress,
) -> Work:
    hyperparameters: Hyperparameters = {**recipe.defaults, **_known(recipe, plan.hyperparameters)}
    budget = Budget(deadline_seconds, threads)
    return Work(
        task=find_task(plan.task),
        field=plan.field,
        train=train_part,
        validation=validation,
        hyperparameters=hyperparameters,
        seed=plan.seed,
        budget=budget,
        loop=Trainer(folder, plan.seed, budget, progress, identity=folder.name if folder else ""),
        progress=progress,
    )


def _known(recipe: Recipe, asked: Hyperparameters) -> Hyperparameters:
    return {name: recipe.checked(name, value) for name, value in asked.items()}


def _cheap_baseline(
    plan: Plan, field: Field, recipe: Recipe, parts: Split, threads: int, progress: Progress
) -> Predictor | None:
    cheap = find_recipe(field.recipes[0].name, recipe.form)
    if cheap.name == recipe.name:
        return None
    rows = np.random.default_rng(plan.seed).permutation(len(parts.train))[:BASELINE_ROWS]
    few = parts.train.take(np.sort(rows))
    seconds = max(0.1 * plan.deadline_seconds, BASELINE_SECONDS) if plan.deadline_seconds else 60.0
    small = plan.with_changes(recipe=cheap.name, hyperparameters={}, deadline_seconds=seconds)
    progress.say("Baseline", f"{cheap.name} on {len(few):,} rows")
    return make_predictor(small, field, few, parts.validation, threads, Silence())


def _make(
    plan: Plan,
    recipe: Recipe,
    parts: Split,
    threads: int,
    folder: Path,
    deadline_seconds: float | None,
    progress: Progress,
) -> Made:
    work = _work(plan, recipe, parts.train, parts.validation, threads, folder, deadline_seconds, progress)
    cost = recipe.cost(parts.train, work.hyperparameters, threads)
    memory_mb = cost.memory_bytes / 2**20
    progress.say("Estimate", f"about {cost.seconds:.0f} s, {memory_mb:.0f} MB ({cost.reason})")
    return recipe.make(work)


def _calibrated(predictor: Predictor, validation: Dataset) -> Predictor:
    targets = predictor.task.encode_targets(validation, predictor.signature.labels)
    outputs = predictor.outputs(list(validation.examples()))
    return predictor.calibrated(predictor.task.calibrate(targets, outputs))


def _finish(
    plan: Plan, field: Field, made: Made, parts: Split, has_time: bool, progress: Progress
) -> Predictor:
    predictor = made.predictor
    if plan.export and has_time:
        progress.say("Export", "looking for a variant that needs no torch")
        predictor = export_to_onnx(predictor, parts.validation)
    elif plan.export:
        reason = f"{predictor.runtime_reason}; the deadline left no time for an export"
        predictor = replace(predictor, runtime_reason=reason)
    signature = replace(predictor.signature, field=field.name, example=_example(predictor, parts.validation))
    return _calibrated(replace(predictor, signature=signature), parts.validation)


def _example(predictor: Predictor, validation: Dataset) -> Any:
    columns = predictor.signature.inputs
    return form_for(predictor.signature.kinds).to_json(validation.example(0), columns)


def _stage(
    folder: Path,
    predictor: Predictor,
    evaluation: Evaluation,
    plan: Plan,
    facts: dict[str, Any],
    seconds: float,
) -> Path:
    staged = folder / "artifact"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    predictor.save(staged)
    (staged / "plan.toml").write_text(plan.to_toml(), encoding="utf-8")
    write_card(staged, predictor, evaluation, facts, seconds)
    return staged


def _manifest_facts(
    plan: Plan, evaluation: Evaluation, facts: dict[str, Any], seconds: float
) -> dict[str, Any]:
    return {
        "task": plan.task,
        "field": plan.field,
        "recipe": plan.recipe,
        "plan": plan.to_toml(),
        "metrics": evaluation.summary(),
        "lineage": {
            **facts["lineage"],
            "environment": facts["environment"],
            "training_seconds": round(seconds, 2),
            "is_trustworthy": evaluation.is_trustworthy,
            "verdict": evaluation.verdict,
        },
    }


def _say_data(
    progress: Progress, dataset: Dataset, findings: Sequence[Finding], parts: Split, plan: Plan
) -> None:
    kind = " (sample: generated, no real data)" if dataset.source.is_sample else ""
    inputs = ", ".join(f"{c.kind} {c.name!r}" for c in dataset.inputs[:4])
    more = f" and {len(dataset.inputs) - 4} more" if len(dataset.inputs) > 4 else ""
    progress.say(
        "Data", f"{dataset.source.name}{kind}: {len(dataset):,} rows, {inputs}{more} -> {plan.target!r}"
    )
    progress.say("Split", parts.summary())
    for note in parts.notes:
        progress.say("", note)
    for finding in findings:
        if finding.severity != "note":
            progress.say("Check", finding.message)
    progress.say("Recipe", plan.reason or plan.recipe)
