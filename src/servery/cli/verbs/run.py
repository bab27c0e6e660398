"""Ask a model: with words, @file, standard input, or a file of many rows."""

from __future__ import annotations

import sys
from collections import Counter
from json import dumps as encode_json
from pathlib import Path
from typing import Annotated, Any

import typer

import servery
from servery.cli.input import read_input
from servery.cli.options import AsJson, Reference
from servery.cli.output import TerminalProgress, print_json
from servery.errors import UsageError


def verb(
    reference: Reference,
    input: Annotated[
        str, typer.Argument(help="A text, a row as JSON, or @file; standard input when left out.")
    ] = "",
    batch: Annotated[Path | None, typer.Option(help="A csv, tsv, jsonl or parquet file of inputs.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the batch's answers go: a .jsonl, .csv or .parquet file.")
    ] = None,
    id_column: Annotated[
        str, typer.Option(help="The column that tells the batch's rows apart; id if there is one.")
    ] = "",
    top_k: Annotated[int | None, typer.Option(help="How many labels to show.")] = None,
    json: AsJson = False,
) -> None:
    """Ask a model: with words, @file, standard input, or a file of many rows.

    Asks the running server if there is one, else loads the model into this process. With --batch it leaves with
    exit code 7 when a row could not be answered; with --output the same command goes on where a killed one stopped.
    """
    parameters: dict[str, Any] = {} if top_k is None else {"top_k": top_k}
    if batch is not None:
        if input:
            raise UsageError(f"Both an input ({input!r}) and --batch {batch} were given; choose one.")
        _answer_batch(reference, batch, output, parameters, id_column)
        return
    answers = servery.ask(reference, read_input(input), parameters)
    if json:
        print_json(answers)
    else:
        for answer in answers:
            print(servery.answer_line(answer))


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
