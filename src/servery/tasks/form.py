"""The shape of a request's inputs for one modality, read by every protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from servery.data.columns import Column, Kind
from servery.discovery import instances
from servery.errors import UnknownNameError

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


class Form(ABC):
    """Turns what a client sends into examples (one dict of column name to value a row), within bounds.

    A form is an object in its own file under `tasks/forms/`.
    """

    name: ClassVar[str]
    rank: ClassVar[int]
    """Of the forms that match a model's inputs the one of the highest rank is used: a picture with numbers is
    a picture.
    """

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
    def is_batch(self, inputs: Any) -> bool:
        """Whether `inputs` is a list of inputs rather than one."""

    @abstractmethod
    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read a raw body, e.g. one picture's bytes.

        Raises:
            UnsupportedMediaError: This form cannot be sent that way.
        """

    @abstractmethod
    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return one example as a client would send it in JSON; the inverse of `examples`."""

    @abstractmethod
    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the JSON Schema of one input, every string, list and number bounded."""


def form_for(kinds: frozenset[Kind]) -> Form:
    """Return the form in which a model with inputs of these kinds is asked.

    Raises:
        UnknownNameError: No form reads them.
    """
    forms: list[Form] = [f for f in instances("servery.tasks.forms", Form) if f.matches(kinds)]
    if not forms:
        raise UnknownNameError(f"No form reads inputs of kinds {', '.join(sorted(kinds)) or 'none'}.")
    return max(forms, key=lambda form: form.rank)
