"""Ask a model: with words, @file, standard input, or a file of many rows."""

from __future__ import annotations

import base64
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from json import dumps as encode_json
from pathlib import Path
from typing import Annotated, Any

import typer

import servery
from servery.cli.input import read_input
from servery.cli.options import AsJson, Reference, pairs, typed
from servery.cli.output import TerminalProgress, print_json
from servery.errors import UsageError


def verb(
    reference: Reference,
    input: Annotated[
        str, typer.Argument(help="A text, a row as JSON, or @file; standard input when left out.")
    ] = "",
    batch: Annotated[Path | None, typer.Option(help="A csv, tsv, jsonl or parquet file of inputs.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Where a batch's answers go, a .jsonl, .csv or .parquet file; or a picture, a .png."
        ),
    ] = None,
    id_column: Annotated[
        str, typer.Option(help="The column that tells the batch's rows apart; id if there is one.")
    ] = "",
    top_k: Annotated[int | None, typer.Option(help="How many labels to show.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter of the answer, e.g. --set seed=7; repeatable."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Ask a model: with words, @file, standard input, or a file of many rows.

    Asks the running server if there is one, else loads the model into this process. What to know about the answers
    goes to the error stream. With --batch it leaves with
    exit code 7 when a row could not be answered; with --output the same command goes on where a killed one stopped.
    """
    parameters = {name: typed(text) for name, text in pairs(setting, "--set").items()}
    if top_k is not None:
        parameters["top_k"] = top_k
    if batch is not None:
        if input:
            raise UsageError(f"Both an input ({input!r}) and --batch {batch} were given; choose one.")
        _answer_batch(reference, batch, output, parameters, id_column)
        return
    answers = servery.ask(reference, read_input(input), parameters)
    for notice in answers.warnings:
        print(f"Note: {notice.message}", file=sys.stderr)
    if output is not None:
        _keep_pictures(answers, output)
        return
    if json:
        print_json(list(answers))
    else:
        for answer in answers:
            print(servery.answer_line(answer))


def _keep_pictures(answers: Sequence[Mapping[str, Any]], output: Path) -> None:
    """Write the pictures among answers, of several with a number in their names."""
    pictures = [base64.b64decode(answer["image"]) for answer in answers if "image" in answer]
    if not pictures:
        raise UsageError("--output keeps a batch's answers, or a picture; this model answered none.")
    for place, picture in enumerate(pictures, 1):
        path = output if len(pictures) == 1 else output.with_stem(f"{output.stem}-{place}")
        path.write_bytes(picture)
        print(path)


def _answer_batch(
    reference: str, batch: Path, output: Path | None, parameters: dict[str, Any], id_column: str
) -> None:
    if output is None:
        outcomes: Counter[bool] = Counter()
        for row in servery.predict_file(reference, batch, parameters, id_column=id_column):
            print(encode_json(row, ensure_ascii=False))
            outcomes["error" in row] += 1
        answered, failed = outcomes[False], outcomes[True]
    else:
        done = servery.predict_to_file(
            reference, batch, output, parameters, id_column=id_column, progress=TerminalProgress()
        )
        answered, failed = done.rows - done.failed, done.failed
    print(f"{answered} rows answered, {failed} rows with an error", file=sys.stderr)
    if failed:
        sys.exit(7)
