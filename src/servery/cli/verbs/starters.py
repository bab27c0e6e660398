"""Train the starter models that are still missing, one after the other."""

from __future__ import annotations

import json
import os
import shlex
import threading
import time
from typing import Annotated, Any

import typer

import servery
from servery.cli.output import TerminalProgress, print_facts


def verb(
    url: Annotated[str, typer.Option(help="Where the server listens, for the lines to paste.")] = "",
    beside_server: Annotated[
        bool, typer.Option("--beside-server", hidden=True, help="Give way to the server; end with it.")
    ] = False,
) -> None:
    """Train the starter models that are still missing, one after the other."""
    if beside_server:
        os.nice(5)
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    workspace = servery.Workspace.open()
    url = url or f"http://{workspace.settings.host}:{workspace.settings.port}"
    missing = servery.missing_starters(workspace)
    for number, field in enumerate(missing, 1):
        print_facts([("Starter", f"{number} of {len(missing)}: {field.title['en']} {field.title['zh']}")])
        trained = servery.train_starter(field, workspace, TerminalProgress())
        _print_ready(field, trained, url, workspace)


def _print_ready(
    field: servery.Field, trained: servery.Trained, url: str, workspace: servery.Workspace
) -> None:
    example = servery.load(trained.version.reference, workspace).predictor.signature.example
    key = f"$(cat {shlex.quote(str(workspace.settings.admin_key_file))})"
    body = json.dumps({"inputs": example}, ensure_ascii=False)
    origin = " (sample data)" if trained.version.lineage.get("is_sample") else ""
    print_facts(
        [
            ("Trained", f"{trained.version.reference}{origin} in {trained.seconds:.0f} s"),
            ("Verdict", trained.evaluation.verdict),
            ("Try", _run_line(field.name, example)),
            (
                "",
                f'curl -s {url}/v1/models/{field.name}/predict -H "Authorization: Bearer {key}" '
                f"-d {shlex.quote(body)}",
            ),
            ("", ""),
        ]
    )


def _run_line(name: str, example: Any) -> str:
    text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
    return f"servery run {name} {shlex.quote(text)}"


def _end_with_parent(parent: int) -> None:
    # A server that is killed outright cannot stop its child; the child notices that it was orphaned.
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(0)
