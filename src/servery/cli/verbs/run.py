"""Ask a model: with words, @file, standard input, or a file of many rows."""

from __future__ import annotations

import sys
from json import dumps as encode_json
from pathlib import Path
from typing import Annotated, Any

import typer

import servery
from servery.cli.options import AsJson, Reference
from servery.cli.output import print_json
from servery.errors import InputError


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

    Asks the running server if there is one, else loads the model into this process.
    """
    parameters: dict[str, Any] = {} if top_k is None else {"top_k": top_k}
    if batch is not None:
        rows = servery.predict_file(reference, batch, parameters)
        _write_lines(rows, output)
        return
    answers = servery.ask(reference, _input(input), parameters)
    if json:
        print_json(answers)
    else:
        for answer in answers:
            print(servery.answer_line(answer))


def _input(text: str) -> Any:
    if text.startswith("@"):
        path = Path(text[1:])
        if not path.is_file():
            raise InputError(f"There is no file {path}.", param="input")
        return path.read_bytes()
    if text:
        return text
    if sys.stdin.isatty():
        raise InputError(
            "Nothing was asked.", hint='servery run sentiment-analysis "slow and rude"', param="input"
        )
    return sys.stdin.buffer.read()


def _write_lines(rows: Any, output: Path | None) -> None:
    stream = sys.stdout if output is None else output.open("w", encoding="utf-8")
    answered = failed = 0
    for row in rows:
        stream.write(encode_json(row, ensure_ascii=False) + "\n")
        failed += "error" in row
        answered += "answer" in row
    if output is not None:
        stream.close()
    print(f"{answered} rows answered, {failed} rows with an error", file=sys.stderr)
