"""Answers every row of a file; a row that cannot be answered gets its error, the others go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from servery.data.columns import Role
from servery.data.dataset import Dataset
from servery.data.readers import read
from servery.errors import BadRowsError, ColumnNotFoundError, ServeryError
from servery.pipeline.local import Model, load
from servery.pipeline.workspace import Workspace

CHUNK_ROWS = 256


def predict_file(
    reference: str,
    path: Path,
    parameters: Mapping[str, Any] | None = None,
    workspace: Workspace | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield one dict a row: `line` (where it stands in the file) and either `answer` or `error`.

    Args:
        reference: "name", "name@3" or "name@alias".
        path: A csv, tsv, jsonl or parquet file, or a folder of pictures, with the model's input columns.
        parameters: What the task allows to ask.
        workspace: Where the model is registered; None opens the default data home.

    Raises:
        ColumnNotFoundError: The file lacks one of the model's input columns.
    """
    model = load(reference, workspace or Workspace.open())
    inputs = model.predictor.signature.inputs
    dataset = read(
        path,
        kinds={column.name: column.kind.value for column in inputs},
        roles={column.name: Role.INPUT.value for column in inputs},
    )
    lacking = [column.name for column in inputs if column.name not in dataset.values]
    if lacking:
        have = ", ".join(column.name for column in dataset.columns)
        raise ColumnNotFoundError(f"{path.name} lacks {', '.join(lacking)}; it has {have}.", param="batch")
    yield from _answers(model, dataset, dict(parameters or {}))
    for bad in dataset.bad_rows:
        yield {"line": bad.line, "error": {"code": BadRowsError.code, "message": bad.reason}}


def _answers(model: Model, dataset: Dataset, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    names = [column.name for column in model.predictor.signature.inputs]
    for start in range(0, len(dataset), CHUNK_ROWS):
        rows = range(start, min(start + CHUNK_ROWS, len(dataset)))
        examples = [{name: dataset[name][row] for name in names} for row in rows]
        lines = [int(dataset.line_numbers[row]) for row in rows]
        try:
            answers = model.answer(examples, parameters)
            yield from ({"line": line, "answer": a} for line, a in zip(lines, answers, strict=True))
        except ServeryError:
            for line, example in zip(lines, examples, strict=True):
                yield _one(model, line, example, parameters)


def _one(model: Model, line: int, example: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"line": line, "answer": model.answer([example], parameters)[0]}
    except ServeryError as error:
        return {"line": line, "error": {"code": error.code, "message": error.message}}
