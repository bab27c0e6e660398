"""From a plan to a registered version, in one readable function."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.checks import Finding, check
from servery.data.dataset import Dataset
from servery.data.split_leaks import find_split_leaks
from servery.data.splits import Split, split
from servery.evaluation.evaluate import Evaluation, evaluate
from servery.fields._field import find_field
from servery.models.predictor import Predictor
from servery.models.score_profile import with_score_profile
from servery.pipeline.advice import complete, form_of
from servery.pipeline.card import write_card
from servery.pipeline.deadline import Deadline
from servery.pipeline.fit import Means, cheap_baseline, finished, fit
from servery.pipeline.lineage import facts_of, manifest_facts
from servery.pipeline.plan import Plan
from servery.pipeline.source import read_for
from servery.pipeline.workspace import Workspace
from servery.progress import Progress, Silence
from servery.registry.names import checked_name
from servery.registry.registry import Version


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
    deadline = Deadline(plan.deadline_seconds)
    checked_name(plan.name)
    workspace, progress = workspace or Workspace.open(), progress or Silence()
    field = find_field(plan.field)
    offer = field.offer_for(plan.task, plan.data)
    dataset = dataset if dataset is not None else read_for(plan, offer, workspace.settings.data)
    threads = workspace.threads(plan.threads)
    asked, plan = plan, complete(plan, field, dataset, threads)
    findings = check(dataset)
    parts = parts_of(dataset, plan)
    findings = (*findings, *find_split_leaks(parts))
    _say_data(progress, dataset, findings, parts, plan)
    progress.say("Recipe", plan.recipe if asked.recipe else plan.reason)

    folder = workspace.run_folder(plan.name, _identity(plan, dataset))
    offer = field.offer_for(plan.task, plan.data, form_of(dataset))
    baseline = cheap_baseline(plan, offer, parts, Means(threads, deadline.baseline_seconds, None, progress))
    made = fit(plan, parts.train, parts.validation, Means(threads, deadline.fit_seconds, folder, progress))
    progress.say("Export", "looking for a variant that needs no torch")
    predictor = finished(made.predictor, parts.validation, plan, deadline.allows_export)
    predictor = with_score_profile(predictor, list(parts.validation.examples()))

    progress.say("Evaluate", f"{len(parts.test):,} test rows, never seen in training")
    facts = facts_of(plan, field, dataset, parts)
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
    seconds = deadline.spent_seconds
    staged = _stage(folder, predictor, evaluation, facts, seconds)
    version = workspace.registry.register(
        plan.name, staged, manifest_facts(plan, evaluation, facts, seconds), actor=actor, aliases=aliases
    )
    shutil.rmtree(folder, ignore_errors=True)
    if deadline.is_missed:
        progress.say("Deadline", f"missed: {seconds:.0f} s instead of {plan.deadline_seconds:.0f} s")
    return Trained(version, evaluation, plan, findings, seconds)


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


def _stage(
    folder: Path,
    predictor: Predictor,
    evaluation: Evaluation,
    facts: dict[str, Any],
    seconds: float,
) -> Path:
    staged = folder / "artifact"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    predictor.save(staged)
    (staged / "plan.toml").write_text(facts["plan"], encoding="utf-8")
    write_card(staged, predictor, evaluation, facts, seconds)
    return staged


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
