"""Which recipe to take: from the question, the size of the data and the time at hand, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from servery.data.columns import Kind, Role
from servery.data.dataset import Dataset
from servery.errors import DataError, UnknownNameError
from servery.fields._field import Field, Offer, all_fields, find_field
from servery.models.recipe import Cost, Recipe, find_recipe, recipes_for
from servery.pipeline.plan import Plan
from servery.pipeline.source import read_for
from servery.pipeline.workspace import Workspace
from servery.tasks.form import form_for
from servery.tasks.task import LearnableTask, find_task, learnable

COMFORTABLE_SECONDS = 900.0
"""Without a deadline, a training expected to take longer than a coffee break is not advised unasked."""


@dataclass(frozen=True)
class Candidate:
    """One recipe that could be used, and what it is expected to cost."""

    recipe: Recipe
    cost: Cost
    note: str


@dataclass(frozen=True)
class Advice:
    """A choice with its reason and the alternatives, from small to large."""

    chosen: Candidate
    candidates: tuple[Candidate, ...]
    reason: str

    def to_list(self) -> list[dict[str, Any]]:
        """Return the candidates as plain JSON types."""
        return [
            {
                "recipe": c.recipe.name,
                "seconds": c.cost.seconds,
                "memory_bytes": c.cost.memory_bytes,
                "note": c.note,
                "is_chosen": c is self.chosen,
            }
            for c in self.candidates
        ]


def task_for(offer: Offer, dataset: Dataset, name: str = "") -> LearnableTask:
    """Return the task that learns this data set's target.

    Raises:
        DataError: None of the offered tasks can learn that target.
    """
    tasks = [learnable(find_task(n)) for n in ([name] if name else offer.tasks)]
    for task in tasks:
        if task.accepts(dataset.target):
            return task
    asked = ", ".join(task.name for task in tasks)
    raise DataError(
        f"The target {dataset.target.name!r} is a {dataset.target.kind} column ({dataset.target.reason}); "
        f"it should be one for: {asked}.",
        hint="name another column with --target, or another question with --task",
        param="target",
    )


def form_of(dataset: Dataset) -> str:
    """Return the name of the form in which a model on these inputs is asked.

    Raises:
        DataError: No column is left to learn from.
    """
    if not dataset.inputs:
        ignored = "; ".join(f"{c.name}: {c.reason}" for c in dataset.columns if c is not dataset.target)
        raise DataError(f"No column is left to learn from. {ignored}", param="data")
    return form_for(dataset.input_kinds).name


def check_form(field: Field, offer: Offer, dataset: Dataset) -> None:
    """Refuse inputs that are not what the question reads.

    Raises:
        DataError: Text was brought to a field of pictures, or the like.
    """
    form = form_of(dataset)
    if form != offer.form:
        columns = ", ".join(f"{column.kind} {column.name!r}" for column in dataset.inputs[:4])
        others = [f"--task {other.tasks[0]}" for other in field.offers if other.form == form]
        others += [f"--field {other.name}" for other in all_fields().values() if other.offers[0].form == form]
        raise DataError(
            f"{field.name} reads {offer.form} inputs for {offer.tasks[0]}, "
            f"but {dataset.source.name} brings {form}: {columns}.",
            hint=others[0] if others else None,
            param="field",
        )


def advise(plan: Plan, workspace: Workspace | None = None) -> tuple[Advice, Plan]:
    """Choose how to learn what a plan asks for, and return the choice with the completed plan.

    Args:
        plan: Its field and data are needed; the rest may be open.
        workspace: Whose settings count; None opens the default data home.

    Raises:
        DataError: The data cannot be read, or none of the field's tasks fits its target.
    """
    workspace = workspace or Workspace.open()
    field = find_field(plan.field)
    dataset = read_for(plan, field.offer_for(plan.task, plan.data), workspace.settings.data)
    threads = workspace.threads(plan.threads)
    return choose(plan, field, dataset, threads), complete(plan, field, dataset, threads)


def choose(plan: Plan, field: Field, dataset: Dataset, threads: int) -> Advice:
    """Choose the offer's own first choice if it is in time, else the largest of the smaller ones that is.

    An offer's `starter_recipe` is the one that its learning curves in docs/benchmarks.md favour; what it would cost on
    this data and this machine is estimated first. Without a deadline the limit is `COMFORTABLE_SECONDS`.
    """
    offer = field.offer_for(plan.task, plan.data, form_of(dataset))
    check_form(field, offer, dataset)
    form, task = offer.form, task_for(offer, dataset, plan.task)
    known = recipes_for(form, task.name)
    candidates = tuple(
        Candidate(recipe, recipe.cost(dataset, recipe.defaults, threads), choice.note)
        for choice in offer.recipes
        if (recipe := known.get(choice.name)) is not None
    )
    limit = plan.deadline_seconds or COMFORTABLE_SECONDS
    chosen = _first_in_time(offer, candidates, limit)
    return Advice(chosen, candidates, _reason(chosen, len(dataset), limit, bool(plan.deadline_seconds)))


def complete(plan: Plan, field: Field, dataset: Dataset, threads: int) -> Plan:
    """Fill in what the plan leaves open: task, recipe, reason, and what the field says of labels and subgroups."""
    offer = field.offer_for(plan.task, plan.data, form_of(dataset))
    check_form(field, offer, dataset)
    task = task_for(offer, dataset, plan.task)
    plan = plan.with_changes(
        outside=outside_of(plan.outside, offer, dataset),
        positive=positive_of(plan, offer, dataset),
        subgroups=subgroups_of(plan.subgroups, offer, dataset),
    )
    if plan.recipe:
        recipe = find_recipe(plan.recipe, offer.form, task.name)
        for name, value in plan.hyperparameters.items():
            recipe.checked(name, value)
        return plan.with_changes(task=task.name, target=dataset.target.name, recipe=recipe.name)
    advice = choose(plan, field, dataset, threads)
    return plan.with_changes(
        task=task.name, target=dataset.target.name, recipe=advice.chosen.recipe.name, reason=advice.reason
    )


def outside_of(asked: str, offer: Offer, dataset: Dataset) -> str:
    """Return the label which says that none of the others fits; empty where the data has none.

    Raises:
        DataError: The user named one that the target lacks.
    """
    target = dataset.target
    if target.kind is not Kind.CATEGORY:
        return ""
    values = {str(value) for value in dataset[target.name] if value is not None}
    if asked and asked not in values:
        raise DataError(
            f"The label {asked!r} for what is outside does not occur in {target.name!r}.",
            hint=f"labels: {', '.join(sorted(values)[:20])}",
            param="outside",
        )
    return asked or (offer.outside if offer.outside in values else "")


def positive_of(plan: Plan, offer: Offer, dataset: Dataset) -> str:
    """Return the label to be found; empty where nothing names one.

    Raises:
        DataError: The user named one that the target lacks, or a goal where there are no labels.
    """
    target = dataset.target
    if target.kind is not Kind.CATEGORY:
        if plan.positive or plan.goal:
            raise DataError(
                f"The target {target.name!r} is a {target.kind} column: it has no label to be found.",
                hint="leave positive and goal out",
                param="positive" if plan.positive else "goal",
            )
        return ""
    values = sorted({str(value) for value in dataset[target.name] if value is not None})
    if plan.positive and plan.positive not in values:
        raise DataError(
            f"The positive label {plan.positive!r} does not occur in {target.name!r}.",
            hint=f"labels: {', '.join(values[:20])}",
            param="positive",
        )
    meant = [label for label in values if label in offer.positives]
    return plan.positive or (meant[0] if len(values) == 2 and len(meant) == 1 else "")


def subgroups_of(asked: Sequence[str], offer: Offer, dataset: Dataset) -> list[str]:
    """Return the columns by whose values a model is judged too: the named ones, else the offer's, and protected ones.

    Raises:
        UnknownNameError: The user named one that the data lacks.
    """
    for name in asked:
        if name not in dataset.values:
            raise UnknownNameError.among("column", name, dataset.values)
    named = asked or [name for name in offer.subgroups if name in dataset.values]
    protected = [c.name for c in dataset.columns if c.role is Role.PROTECTED]
    return list(dict.fromkeys([*named, *protected]))


def _first_in_time(offer: Offer, candidates: tuple[Candidate, ...], limit: float) -> Candidate:
    names = [candidate.recipe.name for candidate in candidates]
    first = names.index(offer.starter_recipe) if offer.starter_recipe in names else 0
    smaller = reversed(candidates[: first + 1])
    return next((c for c in smaller if c.cost.seconds <= limit), candidates[0])


def _reason(chosen: Candidate, rows: int, limit: float, is_asked: bool) -> str:
    time = f"the deadline of {limit:.0f} s" if is_asked else f"{limit / 60:.0f} minutes"
    fits = f"within {time}" if chosen.cost.seconds <= limit else f"longer than {time}, but nothing is quicker"
    return (
        f"{chosen.recipe.name}: {chosen.note}; {rows:,} rows, expected {chosen.cost.seconds:.0f} s "
        f"({chosen.cost.reason}), {fits}"
    )
