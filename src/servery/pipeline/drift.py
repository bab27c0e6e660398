"""Holds new rows, such as live traffic, against what a version learned from."""

from __future__ import annotations

from pathlib import Path

from servery.data.row_files import format_of, open_rows
from servery.errors import DataError, EmptyDataError, ServeryError
from servery.evaluation.drift import Drift, drifts
from servery.models.predictor import Predictor
from servery.pipeline.workspace import Workspace
from servery.tasks.file_inputs import FileInputs
from servery.tasks.form import Example, form_for

MOST_ROWS = 100_000
CHUNK_ROWS = 512


def drift(
    reference: str, data: str | Path, workspace: Workspace | None = None, *, most_rows: int = MOST_ROWS
) -> list[Drift]:
    """Return how far the rows of a file have drifted from a version's training rows: its score first, then columns.

    Args:
        reference: "name", "name@3" or "name@alias".
        data: A csv, tsv, jsonl or parquet file with the model's input columns; it needs no target.
        workspace: Where the version is registered; None opens the default data home.
        most_rows: Rows that are looked at, from the first on.

    Raises:
        ModelNotFoundError: There is no version of that name.
        ColumnNotFoundError: The file lacks one of the model's inputs.
        DataError: The version keeps no profile, or no row can be read.
    """
    workspace = workspace or Workspace.open()
    version = workspace.registry.resolve(reference)
    predictor = Predictor.load(version.folder, workspace.settings.threads)
    if predictor.signature.profile is None:
        raise DataError(
            f"{version.reference} keeps no profile of its training rows: it reads no numbers or categories, or was "
            "made before profiles were kept.",
            hint="train it again",
        )
    examples = _examples(predictor, Path(data), most_rows)
    if not examples:
        raise EmptyDataError(f"No row of {Path(data).name} can be read as the model's input.", param="data")
    return drifts(predictor, examples, predictor.outputs(examples))


def _examples(predictor: Predictor, path: Path, most_rows: int) -> list[Example]:
    signature = predictor.signature
    file = open_rows(path, format_of(path), [column.name for column in signature.inputs])
    inputs = FileInputs(form_for(signature.kinds), signature.inputs, signature.limits, file)
    found: list[Example] = []
    while len(found) < most_rows and (rows := inputs.take(CHUNK_ROWS)):
        found += [row.example for row in rows if not isinstance(row.example, ServeryError)]
    return found[:most_rows]
