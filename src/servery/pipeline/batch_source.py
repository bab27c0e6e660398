"""Where the answers to a file's rows come from: a model in this process, or a job of the running server."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from servery.client import Client
from servery.data.raw_table import RawTable
from servery.data.readers import read_raw
from servery.data.row_files import FileRow, RowFile, format_of, open_rows
from servery.errors import DataNotFoundError, InputError, ServeryError
from servery.models.predictor import Predictor
from servery.registry.version import Version
from servery.tasks.answer_files import Record, record
from servery.tasks.file_inputs import DEFAULT_ID, FileInputs, InputRow
from servery.tasks.form import Example, form_for
from servery.tasks.task import Answer, Parameters, find_task

CHUNK_ROWS = 512
BATCH_ROWS = 64
PAGE_ROWS = 2000


@dataclass(frozen=True)
class Batch:
    """Which rows are answered by which model.

    Attributes:
        version: The model.
        path: A csv, tsv, jsonl or parquet file, or a folder of pictures.
        parameters: What is asked of every row.
        id_column: The column that tells rows apart; empty takes "id" where there is one.
    """

    version: Version
    path: Path
    parameters: Mapping[str, Any]
    id_column: str = ""

    @property
    def answer(self) -> type[Answer]:
        """What an answer is made of."""
        return find_task(self.version.task).answer

    @property
    def identity(self) -> str:
        """What two calls that ask the same of the same file have in common.

        Raises:
            DataNotFoundError: There is no such file.
        """
        try:
            about = self.path.stat()
        except OSError as error:
            raise DataNotFoundError(f"There is no file {self.path}.", param="batch") from error
        parts = [
            *(self.version.digest, str(self.path.resolve()), about.st_size, about.st_mtime_ns),
            *(dict(self.parameters), self.id_column),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Source(ABC):
    """Answers to the rows of one batch."""

    total: int | None = None
    """How many rows there are, where that is known."""

    @abstractmethod
    def records(self, skip: int) -> Iterator[list[Record]]:
        """Yield the answers in the order of the rows, some at a time, without the first `skip`."""

    @abstractmethod
    def close(self) -> None:
        """Clean up behind a batch whose answers are all kept."""


class LocalSource(Source):
    """A model in this process.

    Raises:
        ColumnNotFoundError: The file lacks one of the model's input columns.
        InputError: The parameters are not what the task allows.
    """

    def __init__(self, batch: Batch, threads: int) -> None:
        self._batch = batch
        self._predictor = Predictor.load(batch.version.folder, threads)
        try:
            self._parameters = msgspec.convert(dict(batch.parameters), self._predictor.task.parameters)
        except msgspec.ValidationError as error:
            raise InputError(f"The parameters do not fit: {error}.", param="parameters") from error
        self.total = self._open(0).count
        self._inputs(0)

    def records(self, skip: int) -> Iterator[list[Record]]:
        """Yield the answers as they are computed."""
        inputs = self._inputs(skip)
        while rows := inputs.take(CHUNK_ROWS):
            yield self._answered(rows)

    def close(self) -> None:
        """Leave it to the process to forget the model."""

    def _inputs(self, skip: int) -> FileInputs:
        signature = self._predictor.signature
        form = form_for(signature.kinds)
        return FileInputs(form, signature.inputs, signature.limits, self._open(skip), self._batch.id_column)

    def _open(self, skip: int) -> RowFile:
        path = self._batch.path
        if path.is_dir():
            return _in_memory(read_raw(path), skip)
        names = [column.name for column in self._predictor.signature.inputs]
        wanted = [*names, self._batch.id_column or DEFAULT_ID]
        return open_rows(path, format_of(path), wanted, skip)

    def _answered(self, rows: list[InputRow]) -> list[Record]:
        told: list[Any] = [row.example for row in rows]
        places = [place for place, found in enumerate(told) if not isinstance(found, ServeryError)]
        # Those of like size together, so that little is padded.
        sizes = self._predictor.encoder.sizes([told[place] for place in places])
        places = [place for _, place in sorted(zip(sizes, places, strict=True))]
        for start in range(0, len(places), BATCH_ROWS):
            some = places[start : start + BATCH_ROWS]
            answers = _predicted(self._predictor, [told[place] for place in some], self._parameters)
            for place, answer in zip(some, answers, strict=True):
                told[place] = answer
        return [record(row.line, row.id, answer) for row, answer in zip(rows, told, strict=True)]


class RemoteSource(Source):
    """A job of the running server; it goes on there when this process ends, and is found again.

    Args:
        batch: What is asked.
        client: Of the server.
        purpose: Where the answers go; two batches for different places are different jobs.
    """

    def __init__(self, batch: Batch, client: Client, purpose: str) -> None:
        self._client = client
        named = hashlib.sha256(f"{batch.identity} {purpose}".encode()).hexdigest()
        job = client.jobs.create(
            batch.version.reference,
            file=batch.path,
            parameters=batch.parameters,
            id_column=batch.id_column,
            idempotency_key=f"batch-{named[:40]}",
        )
        self._job = client.jobs.resume(job.id) if job.state in ("failed", "cancelled") else job
        self.total = job.rows_total

    def records(self, skip: int) -> Iterator[list[Record]]:
        """Yield the answers as the server keeps them.

        Raises:
            ServeryError: The job failed, or was cancelled.
        """
        for page in self._client.jobs.pages(self._job.id, PAGE_ROWS):
            left, skip = page[skip:], max(skip - len(page), 0)
            if left:
                yield left

    def close(self) -> None:
        """Remove the job: its answers are here."""
        self._client.jobs.remove(self._job.id)


def _predicted(
    predictor: Predictor, examples: Sequence[Example], parameters: Parameters
) -> list[Answer | ServeryError]:
    """Answer a batch; where it fails, its halves, until the row at fault stands alone."""
    try:
        return list(predictor.predict(examples, parameters))
    except Exception as error:  # a model may raise anything; it is told of its own row
        if len(examples) == 1:
            unexpected = ServeryError(f"The model failed on this row: {error!r}.")
            return [error if isinstance(error, ServeryError) else unexpected]
    middle = len(examples) // 2
    first = _predicted(predictor, examples[:middle], parameters)
    return first + _predicted(predictor, examples[middle:], parameters)


def _in_memory(table: RawTable, skip: int) -> RowFile:
    rows = [
        FileRow(int(line), {name: cells[place] for name, cells in table.values.items()})
        for place, line in enumerate(table.line_numbers)
    ]
    rows += [FileRow(bad.line, fault=bad.reason) for bad in table.bad_rows]
    rows.sort(key=lambda row: row.line)
    return RowFile(iter(rows[skip:]), tuple(table.values), len(rows))
