"""The shape of a request's inputs for one modality, read by every protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from servery.data.columns import Column, Kind
from servery.discovery import instances
from servery.errors import InputError, UnknownNameError
from servery.tasks._parts import parts_of, without
from servery.tasks.part import Part

Example = dict[str, Any]


class Bounds(Protocol):
    """Bounds of one request; `models.signature.Limits` is one."""

    @property
    def max_inputs(self) -> int:
        """Inputs in one request."""

    @property
    def max_text_characters(self) -> int:
        """Characters of one text."""

    @property
    def max_image_pixels(self) -> int:
        """Width times height of one picture."""

    @property
    def max_image_bytes(self) -> int:
        """Encoded size of one picture."""

    @property
    def max_audio_seconds(self) -> int:
        """Length of one recording."""

    @property
    def max_audio_bytes(self) -> int:
        """Encoded size of one recording."""

    @property
    def max_tensor_values(self) -> int:
        """Numbers in one tensor."""


class Form(ABC):
    """Turns what a client sends into examples (one dict of column name to value a row), within bounds.

    A form is an object in its own file under `tasks/forms/`.
    """

    name: ClassVar[str]
    rank: ClassVar[int]
    """Of the forms that match a model's inputs the one of the highest rank is used: a picture with numbers is
    a picture.
    """
    raw_types: ClassVar[frozenset[str]] = frozenset()
    """Content types whose bodies are read as they are, even where they begin like JSON."""

    @abstractmethod
    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether a model with inputs of these kinds is asked in this form."""

    @abstractmethod
    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read decoded JSON `inputs` (one input or a list of them).

        Raises:
            InputError: Wrong type, missing column, too long, too large, too many; `param` is a JSON pointer.
        """

    @abstractmethod
    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list of inputs rather than one."""

    @abstractmethod
    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read a raw body, e.g. one picture's bytes.

        Raises:
            UnsupportedMediaError: This form cannot be sent that way.
        """

    def examples_from_arrays(
        self, arrays: Mapping[str, np.ndarray], columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read an array of values for each column, as protocols of tensors send them.

        Args:
            arrays: Column name to as many values as there are rows: numbers, NaN where one is missing, or objects,
                each what JSON would bring, or the bytes of a text, a picture or a recording.
            columns: The inputs; every one has its array, and they are of one length.
            limits: Bounds of the request.

        Raises:
            InputError: As `examples`.
        """
        values = [plain_values(arrays[c.name], c) for c in columns]
        if len(columns) == 1:
            return self.examples(values[0], columns, limits)
        names = [c.name for c in columns]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        return self.examples(rows, columns, limits)

    @abstractmethod
    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return one example as a client would send it in JSON; the inverse of `examples`."""

    def parts(self, example: Example, columns: Sequence[Column]) -> list[Part]:
        """Return the parts that an explanation speaks of; none where the columns have no such parts."""
        return parts_of(example, columns)

    def without(self, example: Example, part: Part, columns: Sequence[Column]) -> Example:
        """Return the example as it would be without one of its parts."""
        return without(example, part, columns)

    @abstractmethod
    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the JSON Schema of one input, every string, list and number bounded."""


def plain_values(array: np.ndarray, column: Column) -> list[Any]:
    """Return an array's values as JSON would bring them; pictures and recordings stay bytes.

    Raises:
        InputError: A text is not UTF-8.

    >>> from servery.data.columns import Role
    >>> plain_values(np.array([1.5, np.nan]), Column("age", Kind.NUMBER, Role.INPUT))
    [1.5, None]
    """
    if array.dtype != object:
        return [None if value != value else value for value in array.tolist()]
    values: list[Any] = array.tolist()
    if column.kind in (Kind.IMAGE, Kind.AUDIO):
        return values
    return [_text(value, f"/inputs/{row}/{column.name}") for row, value in enumerate(values)]


def _text(value: Any, pointer: str) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"The text at {pointer} is not UTF-8: byte {error.start} is no character.", param=pointer
        ) from error


def form_for(kinds: frozenset[Kind]) -> Form:
    """Return the form in which a model with inputs of these kinds is asked.

    Raises:
        UnknownNameError: No form reads them.
    """
    forms: list[Form] = [f for f in instances("servery.tasks.forms", Form) if f.matches(kinds)]
    if not forms:
        raise UnknownNameError(f"No form reads inputs of kinds {', '.join(sorted(kinds)) or 'none'}.")
    return max(forms, key=lambda form: form.rank)
