"""Answers every row of a file; a row that cannot be answered gets its error, the others go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from servery.client import Client
from servery.errors import ModelNotFoundError, NotReadyError, TooLargeError, UnauthenticatedError
from servery.pipeline.batch_source import Batch, LocalSource, RemoteSource, Source
from servery.pipeline.workspace import Workspace
from servery.progress import Progress, Silence
from servery.storage.appended_file import AppendedFile
from servery.storage.files import sync_folder, write_atomically, writing
from servery.tasks.answer_files import AnswerTable, Record, answer_format, encoded, read_lines

NOTE_SECONDS = 1.0
"""How often progress is made durable; a kill costs the answers of this time, which are then computed again."""


@dataclass(frozen=True)
class BatchCounts:
    """How many rows were done, and how many of them have an error in the place of an answer."""

    rows: int = 0
    failed: int = 0


@dataclass(frozen=True)
class _Noted:
    """How far a batch has come; kept beside its answers until they are whole."""

    identity: str
    rows: int = 0
    failed: int = 0
    length: int = 0


def predict_file(
    reference: str,
    path: Path,
    parameters: Mapping[str, Any] | None = None,
    workspace: Workspace | None = None,
    *,
    id_column: str = "",
) -> Iterator[Record]:
    """Yield one dict a row, in the order of the file: `line` (where it stands), `id`, and `answer` or `error`.

    Args:
        reference: "name", "name@3" or "name@alias".
        path: A csv, tsv, jsonl or parquet file of any size, or a folder of pictures, with the model's input columns.
        parameters: What the task allows to ask.
        workspace: Where the model is registered; None opens the default data home.
        id_column: The column that tells rows apart; empty takes "id" where there is one.

    Raises:
        ColumnNotFoundError: The file lacks one of the model's input columns.
    """
    workspace = workspace or Workspace.open()
    batch = Batch(workspace.registry.resolve(reference), path, dict(parameters or {}), id_column)
    with _source(batch, workspace, "a stream") as source:
        for records in source.records(skip=0):
            yield from msgspec.to_builtins(records)
        source.close()


def predict_to_file(
    reference: str,
    path: Path,
    output: Path,
    parameters: Mapping[str, Any] | None = None,
    workspace: Workspace | None = None,
    *,
    id_column: str = "",
    progress: Progress | None = None,
) -> BatchCounts:
    """Write the answers to every row of a file into another one, which appears when it is whole.

    Until then they gather in `OUTPUT.partial`. The same call goes on where one that was killed had come to, and no
    row is in the output twice; a call for another model, input or question starts over.

    Args:
        reference: As in `predict_file`, and so are those not named here.
        path: The rows.
        output: Where the answers go: .jsonl, .csv or .parquet.
        parameters: What the task allows to ask.
        workspace: Where the model is registered.
        id_column: The column that tells rows apart.
        progress: Is told of it.

    Raises:
        ColumnNotFoundError: The file lacks one of the model's input columns.
        ConflictError: Another process writes this output.
        UnknownNameError: The output has another ending.
    """
    file_format = answer_format(output)
    workspace = workspace or Workspace.open()
    batch = Batch(workspace.registry.resolve(reference), path, dict(parameters or {}), id_column)
    partial, notes = _beside(output, "partial"), _beside(output, "progress")
    noted = _read_notes(notes, batch.identity) if partial.exists() else _Noted(batch.identity)
    with (
        _source(batch, workspace, str(output.resolve())) as source,
        AppendedFile(partial, noted.length) as file,
    ):
        noted = _write_rows(source, file, notes, noted, progress or Silence())
        _publish(partial, output, file_format, batch)
        with writing(notes):
            notes.unlink(missing_ok=True)
        source.close()
    return BatchCounts(noted.rows, noted.failed)


@contextmanager
def _source(batch: Batch, workspace: Workspace, purpose: str) -> Iterator[Source]:
    """Give the running server's answers if there is one that has the model, else those of this process."""
    settings = workspace.settings
    if settings.admin_key_file.is_file() and batch.path.is_file():
        key = settings.admin_key_file.read_text(encoding="ascii").strip()
        with Client(f"http://{settings.host}:{settings.port}", api_key=key) as client:
            try:
                source = RemoteSource(batch, client, purpose)
            except (NotReadyError, ModelNotFoundError, TooLargeError, UnauthenticatedError):
                pass  # no server, or another home's, or one that takes no file so large: the model is here too
            else:
                yield source
                return
    workspace.registry.verify(batch.version.reference)
    yield LocalSource(batch, settings.threads)


def _write_rows(source: Source, file: AppendedFile, notes: Path, noted: _Noted, progress: Progress) -> _Noted:
    """Append the answers that are missing, and note now and then how far they are durable."""
    noted_at = monotonic()
    for records in source.records(skip=noted.rows):
        file.append(encoded(records))
        failed = sum("error" in record for record in records)
        noted = replace(noted, rows=noted.rows + len(records), failed=noted.failed + failed)
        if monotonic() - noted_at > NOTE_SECONDS:
            _note(notes, noted, file)
            noted_at = monotonic()
            progress.update("Rows", noted.rows, source.total or 0, f"{noted.rows:,} rows")
    _note(notes, noted, file)
    return noted


def _note(notes: Path, noted: _Noted, file: AppendedFile) -> None:
    write_atomically(notes, json.dumps(asdict(replace(noted, length=file.sync()))).encode())


def _read_notes(notes: Path, identity: str) -> _Noted:
    try:
        noted = _Noted(**json.loads(notes.read_bytes()))
    except (OSError, ValueError, TypeError):
        return _Noted(identity)
    return noted if noted.identity == identity else _Noted(identity)


def _publish(partial: Path, output: Path, file_format: str, batch: Batch) -> None:
    whole = partial
    if file_format != "jsonl":
        whole = _beside(output, "table")
        with writing(whole), partial.open("rb") as lines:
            AnswerTable(batch.answer).write(read_lines(lines), whole, file_format)
            with whole.open("rb+") as table:
                os.fsync(table.fileno())
    with writing(output):
        os.replace(whole, output)
        partial.unlink(missing_ok=True)
        sync_folder(output.parent)


def _beside(output: Path, ending: str) -> Path:
    return output.with_name(f"{output.name}.{ending}")
