"""Make a designer of regression models, and ask it for designs within limits."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

import servery
from servery.cli.options import AsJson, Reference, limits_of, typed
from servery.cli.options import pairs as named
from servery.cli.output import print_facts, print_json, print_table

group = typer.Typer(
    help="Make a designer of regression models, and ask it for designs.", no_args_is_help=True
)


@group.command()
def make(
    name: Annotated[str, typer.Argument(help="Name of the designer in the registry.")],
    models: Annotated[list[str], typer.Argument(help="Regression models; each predicts one quantity.")],
    alias: Annotated[str, typer.Option(help="An alias it gets at once, e.g. production.")] = "",
    json: AsJson = False,
) -> None:
    """Register a designer that searches what the models predict."""
    version = servery.make_designer(name, models, aliases=[alias] if alias else [])
    if json:
        print_json({"version": version.to_dict()})
        return
    quantities = ", ".join(model for model in models)
    print_facts([("Saved", version.reference), ("Made of", quantities)])
    print(f"Next      servery design ask {version.reference} --min QUANTITY")


@group.command()
def ask(
    reference: Reference,
    min: Annotated[list[str] | None, typer.Option(help="A quantity to make small; repeatable.")] = None,
    max: Annotated[list[str] | None, typer.Option(help="A quantity to make large; repeatable.")] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="A limit, e.g. --limit 'cooling<=20' --limit 'height_m>=3'; repeatable."),
    ] = None,
    fix: Annotated[list[str] | None, typer.Option(help="A dimension's one value, e.g. material=oak.")] = None,
    count: Annotated[int, typer.Option(help="How many designs.")] = 10,
    evaluations: Annotated[int, typer.Option(help="How many to look at.")] = 200,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Write the designs as csv.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the designs as svg.")] = None,
    json: AsJson = False,
) -> None:
    """Ask for designs that do best within limits, each quantity with its interval."""
    objectives = dict.fromkeys(min or [], "min") | dict.fromkeys(max or [], "max")
    fixed = {name: typed(value) for name, value in named(fix, "--fix").items()}
    brief = {"objectives": objectives, "limits": limits_of(limit or []), "fixed": fixed}
    found = servery.load(reference)(brief, count=count, evaluations=evaluations, seed=seed)
    [answer] = found.outputs
    if output:
        _write(output, answer["candidates"])
    if picture:
        picture.write_text(servery.draw_designs(answer["candidates"], objectives), encoding="utf-8")
    if json:
        print_json(answer)
        return
    names = list(answer["candidates"][0]["design"])
    quantities = list(answer["candidates"][0]["predicted"])
    print_table(
        [*(name.upper() for name in names), *(q.upper() for q in quantities), "KEEPS LIMITS", "BEST FRONT"],
        [_row(candidate, names, quantities) for candidate in answer["candidates"]],
    )
    print_facts([*_facts(answer), *(("Note", notice.message) for notice in found.warnings)])


def _row(candidate: dict[str, Any], names: list[str], quantities: list[str]) -> list[str]:
    design, predicted = candidate["design"], candidate["predicted"]
    cells = [design[name] if isinstance(design[name], str) else f"{design[name]:.4g}" for name in names]
    cells += [_said(predicted[quantity]) for quantity in quantities]
    return [*cells, *("yes" if candidate[key] else "no" for key in ("is_feasible", "is_on_front"))]


def _said(predicted: dict[str, Any]) -> str:
    value = f"{predicted['value']:.4g}"
    return value if predicted["low"] is None else f"{value} [{predicted['low']:.4g}, {predicted['high']:.4g}]"


def _facts(answer: dict[str, Any]) -> list[tuple[str, str]]:
    told = [("Looked at", f"{answer['evaluated']:,} designs, {answer['feasible']:,} keep the limits")]
    compared = answer["against_random"]
    if compared:
        told.append(
            ("Search", f"won {compared['search']:.3f}, as many random designs {compared['random']:.3f}")
        )
    return told


def _write(path: Path, candidates: list[dict[str, Any]]) -> None:
    rows = []
    for candidate in candidates:
        row = dict(candidate["design"])
        for quantity, said in candidate["predicted"].items():
            row |= {quantity: said["value"], f"{quantity}_low": said["low"], f"{quantity}_high": said["high"]}
        rows.append(row | {key: candidate[key] for key in ("is_feasible", "is_on_front")})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
