"""From parts of a data set to a calibrated predictor, with a plan's recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from servery.data.dataset import Dataset
from servery.data.splits import Split
from servery.fields._field import Offer
from servery.models.predictor import Predictor
from servery.models.recipe import Budget, Hyperparameters, Made, Recipe, Work, find_recipe
from servery.optimize.export import export_to_onnx
from servery.pipeline.advice import form_of
from servery.pipeline.plan import Plan
from servery.progress import Progress, Silence
from servery.tasks.form import form_for
from servery.tasks.operating_point import Goal
from servery.tasks.task import Abstention, find_task, learnable
from servery.training.trainer import Trainer

BASELINE_ROWS = 5_000
"""Training rows of the cheap baseline: enough to be hard to beat, few enough to cost seconds."""
LEAST_ROWS = 1_000
"""Fewer rows than these are not worth the seconds they save."""


@dataclass(frozen=True)
class Means:
    """What a fit may use.

    Attributes:
        threads: CPU threads.
        seconds: Wall-clock limit; None for none.
        folder: Where checkpoints go; None for none.
        progress: Hears the news.
    """

    threads: int
    seconds: float | None
    folder: Path | None
    progress: Progress


def fit(plan: Plan, train: Dataset, validation: Dataset, means: Means) -> Made:
    """Learn with the plan's recipe; the result is not calibrated yet.

    Raises:
        DataError: A hyperparameter is unknown or of the wrong type, or the data does not fit the recipe.
        InterruptedTrainingError: A signal stopped it; its state is saved in the folder.
    """
    recipe = find_recipe(plan.recipe, form_of(train), plan.task)
    work = _work(plan, recipe, train, validation, means)
    cost = recipe.cost(train, work.hyperparameters, means.threads)
    memory_mb = cost.memory_bytes / 2**20
    means.progress.say("Estimate", f"about {cost.seconds:.0f} s, {memory_mb:.0f} MB ({cost.reason})")
    if means.seconds is not None and not recipe.can_stop_early and cost.seconds > means.seconds:
        work = _fewer_rows(work, means.seconds / cost.seconds)
        means.progress.say("Rows", f"{len(work.train):,} of {len(train):,}, as many as the deadline allows")
    return recipe.make(work)


def calibrated(predictor: Predictor, validation: Dataset, plan: Plan) -> Predictor:
    """Return the predictor with believable scores, its operating point and the right to abstain, from validation."""
    task, labels = learnable(predictor.task), predictor.signature.labels
    if not task.has_calibration:
        return predictor
    targets = task.encode_targets(validation, labels)
    outputs = predictor.outputs(list(validation.examples()))
    calibration = task.calibrate(targets, outputs)
    calibration = task.deciding(calibration, targets, outputs, labels, Goal(plan.positive, plan.goal))
    wanted = Abstention(plan.abstention_cost, plan.outside)
    return predictor.calibrated(task.abstaining(calibration, targets, outputs, labels, wanted))


def finished(predictor: Predictor, validation: Dataset, plan: Plan, has_time: bool) -> Predictor:
    """Return the predictor as it will answer: exported if that agrees, with an example, calibrated."""
    if plan.export and has_time:
        predictor = export_to_onnx(predictor, validation)
    elif plan.export:
        reason = f"{predictor.runtime_reason}; the deadline left no time for an export"
        predictor = replace(predictor, runtime_reason=reason)
    form = form_for(predictor.signature.kinds)
    signature = predictor.signature
    if signature.example is None:
        example = form.to_json(validation.example(0), signature.inputs)
        signature = replace(signature, example=example)
    return calibrated(replace(predictor, signature=signature), validation, plan)


def cheap_baseline(plan: Plan, offer: Offer, parts: Split, means: Means) -> Predictor | None:
    """Return the offer's smallest recipe fitted on few rows; None where that is the plan's own recipe."""
    cheap = offer.recipes[0].name
    if cheap == plan.recipe:
        return None
    rows = np.random.default_rng(plan.seed).permutation(len(parts.train))[:BASELINE_ROWS]
    few = parts.train.take(np.sort(rows))
    means.progress.say("Baseline", f"{cheap} on {len(few):,} rows")
    small = plan.with_changes(recipe=cheap, hyperparameters={})
    made = fit(small, few, parts.validation, replace(means, progress=Silence()))
    return calibrated(made.predictor, parts.validation, plan)


def _fewer_rows(work: Work, share: float) -> Work:
    rows = max(int(share * len(work.train)), min(LEAST_ROWS, len(work.train)))
    chosen = np.random.default_rng(work.seed).permutation(len(work.train))[:rows]
    return replace(work, train=work.train.take(np.sort(chosen)))


def _work(plan: Plan, recipe: Recipe, train: Dataset, validation: Dataset, means: Means) -> Work:
    asked = {name: recipe.checked(name, value) for name, value in plan.hyperparameters.items()}
    hyperparameters: Hyperparameters = {**recipe.defaults, **asked}
    budget = Budget(means.seconds, means.threads)
    identity = means.folder.name if means.folder else ""
    task = learnable(find_task(plan.task))
    return Work(
        task=task.with_labels(task.labels_of(train)),
        field=plan.field,
        train=train,
        validation=validation,
        hyperparameters=hyperparameters,
        seed=plan.seed,
        budget=budget,
        loop=Trainer(means.folder, plan.seed, budget, means.progress, identity=identity),
        progress=means.progress,
    )
