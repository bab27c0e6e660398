"""Ask a model: with words, @file, standard input, or a file of many rows."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from json import dumps as encode_json
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

import servery
from servery.cli.input import read_input
from servery.cli.options import AsJson, Reference
from servery.cli.output import print_json
from servery.errors import StorageError, UsageError


def verb(
    reference: Reference,
    input: Annotated[
        str, typer.Argument(help="A text, a row as JSON, or @file; standard input when left out.")
    ] = "",
    batch: Annotated[Path | None, typer.Option(help="A csv, tsv, jsonl or parquet file of inputs.")] = None,
    output: Annotated[Path | None, typer.Option(help="Where the batch's answers go, as jsonl.")] = None,
    top_k: Annotated[int | None, typer.Option(help="How many labels to show.")] = None,
    json: AsJson = False,
) -> None:
    """Ask a model: with words, @file, standard input, or a file of many rows.

    Asks the running server if there is one, else loads the model into this process. With --batch it leaves with
    exit code 7 when a row could not be answered.
    """
    parameters: dict[str, Any] = {} if top_k is None else {"top_k": top_k}
    if batch is not None:
        if input:
            raise UsageError(f"Both an input ({input!r}) and --batch {batch} were given; choose one.")
        rows = servery.predict_file(reference, batch, parameters)
        _write_lines(rows, output)
        return
    answers = servery.ask(reference, read_input(input), parameters)
    if json:
        print_json(answers)
    else:
        for answer in answers:
            print(servery.answer_line(answer))


def _write_lines(rows: Iterable[dict[str, Any]], output: Path | None) -> None:
    answered = failed = 0
    with _opened(output) as stream:
        for row in rows:
            stream.write(encode_json(row, ensure_ascii=False) + "\n")
            failed += "error" in row
            answered += "answer" in row
    print(f"{answered} rows answered, {failed} rows with an error", file=sys.stderr)
    if failed:
        sys.exit(7)


def _opened(output: Path | None) -> AbstractContextManager[TextIO]:
    if output is None:
        return nullcontext(sys.stdout)
    try:
        return output.open("w", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {error.strerror}.", param="--output") from error
