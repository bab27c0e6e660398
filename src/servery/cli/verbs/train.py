"""Train, evaluate and register a model from your data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import servery
from servery.cli.options import AsJson, pairs, seconds, typed
from servery.cli.output import TerminalProgress, print_json
from servery.errors import UsageError


def verb(
    field: Annotated[str, typer.Option(help="The field, see `servery fields`.")] = "",
    data: Annotated[str, typer.Option(help="A file, a folder, a known data set, or 'sample'.")] = "",
    task: Annotated[str, typer.Option(help="The question, where the field answers several.")] = "",
    target: Annotated[str, typer.Option(help="The column to learn.")] = "",
    name: Annotated[str, typer.Option(help="Name of the model in the registry.")] = "",
    recipe: Annotated[str, typer.Option(help="How to learn it; chosen for you when left out.")] = "",
    deadline: Annotated[str, typer.Option(help="Stop with the best so far after 90s, 10m, 1.5h.")] = "",
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores when left out.")] = None,
    abstention_cost: Annotated[
        float | None, typer.Option(help="Cost of not answering against a wrong answer's 1; 1: always answer.")
    ] = None,
    outside: Annotated[str, typer.Option(help="The label which says that none of the others fits.")] = "",
    positive: Annotated[
        str, typer.Option(help="The label to be found; the rarer of two when left out.")
    ] = "",
    goal: Annotated[
        list[str] | None,
        typer.Option(
            help="What its threshold is chosen for: sensitivity=0.9 | specificity=0.9 | missed_cost=5 and "
            "false_alarm_cost=1 | acceptance_gain=1 and acceptance_loss=8; repeatable."
        ),
    ] = None,
    subgroup: Annotated[
        list[str] | None, typer.Option(help="A column by whose values the report judges too; repeatable.")
    ] = None,
    protected: Annotated[
        list[str] | None, typer.Option(help="The same, and the model may not learn from it; repeatable.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A hyperparameter, e.g. --set epochs=5; repeatable.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="What a column is, e.g. --kind zip=category; repeatable.")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="What a column is for, e.g. --role date=time; repeatable.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="A plan.toml; options given beside it win.")] = None,
    json: AsJson = False,
) -> None:
    """Train, evaluate and register a model from your data."""
    changes: dict[str, Any] = {
        "field": field,
        "data": data,
        "task": task,
        "target": target,
        "name": name,
        "recipe": recipe,
        "deadline_seconds": seconds(deadline) if deadline else None,
        "seed": seed,
        "threads": threads,
        "abstention_cost": abstention_cost,
        "outside": outside,
        "positive": positive,
        "goal": {name: typed(text) for name, text in pairs(goal, "--goal").items()},
        "subgroups": subgroup,
        "kinds": pairs(kind, "--kind"),
        "roles": dict.fromkeys(protected or [], "protected") | pairs(role, "--role"),
        "hyperparameters": {name: typed(text) for name, text in pairs(setting, "--set").items()},
    }
    chosen = {key: value for key, value in changes.items() if value not in (None, "", {})}
    full = servery.Plan.read(plan).with_changes(**chosen) if plan else _plan(chosen)
    progress = TerminalProgress(is_quiet=json)
    trained = servery.train(full, progress=progress)
    if json:
        print_json({"version": trained.version.to_dict(), "evaluation": trained.evaluation.to_dict()})
        return
    for metric, text in trained.evaluation.headline():
        progress.say("Test", f"{metric} {text}")
    progress.say("Verdict", trained.evaluation.verdict)
    progress.say("Saved", f"{trained.version.reference}   {trained.seconds:.0f} s")
    print(f"Next      servery report {full.name} --open")
    print(f"          servery deploy {trained.version.reference} --alias production")


def _plan(chosen: dict[str, Any]) -> servery.Plan:
    missing = [f"--{option}" for option in ("field", "data", "name") if option not in chosen]
    if missing:
        raise UsageError(
            f"{', '.join(missing)} missing: a training needs a field, data and a name.",
            hint="servery train --field sentiment-analysis --data sample --name first",
            param=missing[0],
        )
    return servery.Plan(**chosen)
