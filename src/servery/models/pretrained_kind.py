"""What a kind of pretrained model says of itself: which folders it reads, and how its numbers become outputs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from tokenizers import Tokenizer

from servery.data.columns import Column, Kind, Role
from servery.discovery import instances
from servery.errors import ArtifactError, MissingExtraError, UnknownNameError
from servery.models.encoder import Batch
from servery.models.encoders.pretrained_tokens import read_tokenizer
from servery.models.predictor import Predictor

CONFIG_FILE, TOKENIZER_FILE = "config.json", "tokenizer.json"
NAMES = {"tokens": "input_ids", "parts": "token_type_ids", "is_token": "attention_mask"}
"""Our names of what goes in to the library's."""
LONGEST_TOKENS = 8192
"""Of models that name no bound of their own."""


@dataclass(frozen=True)
class PretrainedFolder:
    """A folder in the Hugging Face layout.

    Attributes:
        path: Where it is.
        config: What `config.json` says.
        field: The application field the model is for; empty for the kind's own.
    """

    path: Path
    config: Mapping[str, Any]
    field: str = ""

    @property
    def architecture(self) -> str:
        """Name of the class that the weights are of, e.g. "BertForMaskedLM"; empty where it is not said."""
        said = self.config.get("architectures") or [""]
        return str(said[0])

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can answer, in the order of its outputs.

        Raises:
            ArtifactError: The labels have gaps.
        """
        named = self.config.get("id2label") or {}
        try:
            return tuple(str(named[str(place)]) for place in range(len(named)))
        except KeyError as error:
            raise ArtifactError(f"{CONFIG_FILE} names {len(named)} labels, but none for {error}.") from error

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, made from older files where there is no `tokenizer.json`.

        Raises:
            ArtifactError: There is none that can be read.
            MissingExtraError: It takes the library to make it, which is not installed.
        """
        file = self.path / TOKENIZER_FILE
        if file.exists():
            return read_tokenizer(file.read_text(encoding="utf-8"))
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise MissingExtraError.named("hf") from None
        try:
            found = AutoTokenizer.from_pretrained(self.path, trust_remote_code=False, local_files_only=True)
            return read_tokenizer(found.backend_tokenizer.to_str())
        except Exception as error:  # the library raises whatever its parts raise
            raise ArtifactError(
                f"{self.path.name} has no tokenizer that can be read: {str(error)[:300]}.",
                hint=f"a folder with {TOKENIZER_FILE}",
            ) from error

    @property
    def longest_tokens(self) -> int:
        """Most tokens of one text, marks included."""
        told = self.read_json("tokenizer_config.json").get("model_max_length")
        places = self.config.get("max_position_embeddings") or self.config.get("n_positions")
        bounds = [bound for bound in (told, places) if isinstance(bound, int) and 0 < bound < 2**20]
        return min(bounds, default=LONGEST_TOKENS) - self._places_before

    @property
    def _places_before(self) -> int:
        # RoBERTa and its children number their tokens from the padding's number on (as released in fairseq).
        is_roberta = "roberta" in str(self.config.get("model_type"))
        return int(self.config.get("pad_token_id") or 0) + 1 if is_roberta else 0

    def read_json(self, name: str) -> dict[str, Any]:
        """Return what one of its files says, nothing where there is none.

        Raises:
            ArtifactError: It is torn.
        """
        try:
            text = (self.path / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{name} in {self.path.name} cannot be read: {error}.") from error
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ArtifactError(f"{name} in {self.path.name} is torn: {error}.") from error
        return value if isinstance(value, dict) else {}


class PretrainedKind(ABC):
    """One kind of model. A kind is an object in its own file under `models/pretrained/`, named as the file.

    Most kinds run in the library (`runtimes.hugging_face`): they say which of its classes reads the weights, and how
    what comes out becomes the outputs of one of our tasks. A kind may also hand back a predictor of our own.
    """

    name: ClassVar[str]
    """Of its file."""
    tasks: ClassVar[tuple[str, ...]]
    """Tasks that its models answer; the user may choose where a folder fits several."""
    auto_class: ClassVar[str] = ""
    """The library's class that reads the weights, e.g. "AutoModelForMaskedLM"; empty for readers of our own."""
    rank: ClassVar[int] = 0
    """Of the kinds that read a folder the one of the highest rank is taken."""

    @abstractmethod
    def reads(self, folder: PretrainedFolder) -> bool:
        """Whether it is of this kind."""

    @abstractmethod
    def predictor(self, folder: PretrainedFolder, threads: int) -> Predictor:
        """Return the model.

        Raises:
            ArtifactError: It cannot be read, or is of a sort that is not known.
        """

    def inputs(self, batch: Batch, settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return what the library's model takes, by its names, from an encoder's batch."""
        return {NAMES[name]: array for name, array in batch.items() if name in NAMES}

    def computed(
        self, model: Any, inputs: Mapping[str, Any], batch: Batch, settings: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return what the library's model puts out, tensors or arrays by name; models that write are asked otherwise.

        Args:
            model: As the library read it.
            inputs: Tensors by the library's names.
            batch: What they were made of.
            settings: What was noted when the model was added.
        """
        return dict(model(**inputs).items())

    def outputs(
        self, found: Mapping[str, np.ndarray], batch: Batch, settings: Mapping[str, Any], folder: Path
    ) -> np.ndarray:
        """Return the outputs as the task has them, a row an input.

        Args:
            found: What the library's model put out, float32, by its names.
            batch: What went in.
            settings: What was noted when the model was added.
            folder: With the model's files.
        """
        return found["logits"]


def text_columns(*names: str) -> tuple[Column, ...]:
    """Return input columns of text."""
    return tuple(Column(name, Kind.TEXT, Role.INPUT) for name in names)


def all_kinds() -> dict[str, PretrainedKind]:
    """Return every kind by name."""
    return {kind.name: kind for kind in instances("servery.models.pretrained", PretrainedKind)}


def find_kind(name: str) -> PretrainedKind:
    """Return the kind of that name.

    Raises:
        UnknownNameError: There is none.
    """
    known = all_kinds()
    if name not in known:
        raise UnknownNameError.among("kind of pretrained model", name, known)
    return known[name]


def kind_of(folder: PretrainedFolder, task: str = "") -> PretrainedKind:
    """Return the kind of a folder.

    Args:
        folder: Whose.
        task: What it must answer; empty for what its files say.

    Raises:
        ArtifactError: None is known that reads it, or that answers this task.
    """
    fitting = [kind for kind in all_kinds().values() if kind.reads(folder)]
    wanted = [kind for kind in fitting if not task or task in kind.tasks]
    if wanted:
        return max(wanted, key=lambda kind: kind.rank)
    if fitting:
        answers = sorted({name for kind in fitting for name in kind.tasks})
        raise ArtifactError(
            f"{folder.path.name} is no model for {task}; it answers {', '.join(answers)}.",
            hint=f"--task {answers[0]}",
        )
    tasks = sorted({name for kind in all_kinds().values() for name in kind.tasks})
    raise ArtifactError(
        f"{folder.architecture or 'A model of no named architecture'} is of no kind that is known here.",
        hint=f"models for: {', '.join(tasks)}",
    )
