"""Writes docs/reference.md from the code: settings, errors, verbs, fields, tasks and recipes. Run: make docs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from servery import errors
from servery.cli.main import app
from servery.discovery import modules
from servery.fields._field import all_fields
from servery.models.recipe import all_recipes
from servery.settings import Settings
from servery.tasks.task import LearnableTask, all_tasks

PAGE = Path(__file__).with_name("reference.md")


def page() -> str:
    """Return the whole page as Markdown."""
    parts = ["# Reference", "", "Made by `make docs` from the code; a test fails when it is stale.", ""]
    for heading, lines in (
        ("Fields", _fields()),
        ("Tasks", _tasks()),
        ("Recipes", _recipes()),
        ("Verbs", _verbs()),
        ("Settings", _settings()),
        ("Errors", _errors()),
    ):
        parts += [f"## {heading}", "", *lines, ""]
    return "\n".join(parts)


def _fields() -> Iterator[str]:
    for field in all_fields().values():
        yield f"### {field.title['en']} {field.title['zh']} (`{field.name}`)\n"
        yield f"{field.summary['en']} {field.summary['zh']}\n"
        for offer in field.offers:
            yield f"{', '.join(offer.tasks)} from {offer.form} inputs:\n"
            yield from (f"- `{choice.name}`: {choice.note}" for choice in offer.recipes)
            known = ", ".join(f"`{k.name}` ({k.license})" for k in offer.known_datasets) or "none"
            yield f"\nKnown data sets: {known}.\n"
        yield f"Not to be used: {field.limits_of_use}\n"


def _tasks() -> Iterator[str]:
    yield "| task | summary | primary metric | unit |\n|---|---|---|---|"
    for task in all_tasks().values():
        metric = (
            task.primary_metric if isinstance(task, LearnableTask) else "none: its models are not made here"
        )
        yield f"| `{task.name}` {task.title['zh']} | {task.summary} | {metric} | {task.unit} |"


def _recipes() -> Iterator[str]:
    for recipe in sorted(all_recipes(), key=lambda r: (r.form, r.name)):
        yield f"### `{recipe.name}` on {recipe.form}\n\n{recipe.summary}\n"
        yield "| hyperparameter | default | worth trying |\n|---|---|---|"
        for name, value in recipe.defaults.items():
            tried = ", ".join(str(v) for v in recipe.search_space.get(name, ()))
            yield f"| `{name}` | {value} | {tried} |"
        yield ""


def _verbs() -> Iterator[str]:
    for command in sorted(app.registered_commands, key=lambda c: c.name or ""):
        if command.callback is not None and not command.hidden:
            summary = (command.callback.__doc__ or "").strip().splitlines()[0]
            yield f"- `servery {command.name or command.callback.__name__}`: {summary}"
    for module in modules("servery.cli.verbs"):
        if hasattr(module, "group"):
            name = module.__name__.rsplit(".", 1)[1]
            for command in module.group.registered_commands:
                summary = (command.callback.__doc__ or "").strip().splitlines()[0]
                yield f"- `servery {name} {command.name or command.callback.__name__}`: {summary}"


def _settings() -> Iterator[str]:
    yield "| environment variable | default | meaning |\n|---|---|---|"
    for name, info in Settings.model_fields.items():
        default = "the platform's data folder" if info.default_factory else info.default
        yield f"| `SERVERY_{name.upper()}` | {default} | {info.description} |"


def _errors() -> Iterator[str]:
    yield "| code | HTTP | exit code | meaning |\n|---|---|---|---|"
    for name in sorted(vars(errors)):
        error = getattr(errors, name)
        if isinstance(error, type) and issubclass(error, errors.ServeryError):
            meaning = (error.__doc__ or "").strip().splitlines()[0]
            yield f"| `{error.code}` | {error.http_status} | {error.exit_code} | {meaning} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stderr.write(f"{PAGE.name} written\n")
