"""A registered version in this process, with the same answers as over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from servery.errors import InputError
from servery.models.explanation import (
    ExplainParameters,
    Inquiry,
    checked_label,
    completed,
    explainable,
    is_exact,
)
from servery.models.notices import notices_of
from servery.models.predictor import Predictor
from servery.pipeline.workspace import Workspace
from servery.prediction import Prediction
from servery.schemas import Notice
from servery.tasks.form import Example, form_for


class Model:
    """A loaded version, called with what a request would bring."""

    def __init__(self, reference: str, predictor: Predictor, lineage: Mapping[str, Any]) -> None:
        self.reference = reference
        self.predictor = predictor
        self.lineage = lineage
        self._form = form_for(predictor.signature.kinds)

    def __call__(self, inputs: Any, **parameters: Any) -> Prediction:
        """Answer one input or a list of them.

        Args:
            inputs: As in a request's JSON; pictures also as bytes or a path.
            **parameters: What the task allows to ask, e.g. `top_k=2`.

        Raises:
            InputError: The inputs or parameters are not what the model takes.
        """
        return self.answer(self._examples(inputs), parameters)

    def answer(self, examples: Sequence[Example], parameters: dict[str, Any]) -> Prediction:
        """Answer examples that are already read, in batches of like sizes.

        Raises:
            InputError: The parameters are not what the task allows.
        """
        try:
            asked = msgspec.convert(parameters, self.predictor.task.parameters)
        except msgspec.ValidationError as error:
            raise InputError(f"The parameters do not fit: {error}.", param="parameters") from error
        answers = self.predictor.answers(examples, asked)
        signature, task = self.predictor.signature, self.predictor.task
        told = notices_of(task, answers, examples, signature, self.lineage)
        return Prediction(
            outputs=msgspec.to_builtins(answers),
            model=self.reference,
            task=task.hub_name(signature.kinds),
            usage={task.unit: float(task.units_of(answers))},
            warnings=[Notice(code, message) for code, message in told.items()],
        )

    def explain(
        self,
        inputs: Any,
        *,
        label: str | None = None,
        reasons: int = 0,
        counterfactual: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return why one input or each of a list got its answer; see `Client.explain`.

        Raises:
            InputError: The model's answers cannot be explained, or it has no such label.
        """
        signature, task, predictor = self.predictor.signature, self.predictor.task, self.predictor
        explainable(task)
        asked = {"label": label, "reasons": reasons, "counterfactual": counterfactual}
        try:
            parameters = msgspec.convert(asked, ExplainParameters)
        except msgspec.ValidationError as error:
            raise InputError(f"The parameters do not fit: {error}.", param="parameters") from error
        examples, exact = self._examples(inputs), is_exact(predictor, parameters)
        inquiry = Inquiry.into(examples, self._form, signature, is_exact=exact)
        chosen = checked_label(label, signature.labels)
        answers = predictor.decode(predictor.outputs(inquiry.examples))
        explanations = inquiry.explanations(task, answers, chosen)
        found: list[dict[str, Any]] = msgspec.to_builtins(
            completed(predictor, examples, explanations, parameters)
        )
        return found

    def _examples(self, inputs: Any) -> list[Example]:
        signature = self.predictor.signature
        if isinstance(inputs, Path):
            inputs = inputs.read_bytes()
        if isinstance(inputs, bytes):
            return self._form.examples_from_bytes(inputs, "", signature.inputs, signature.limits)
        return self._form.examples(inputs, signature.inputs, signature.limits)

    def __repr__(self) -> str:
        return f"<Model {self.reference} {self.predictor.recipe} ({self.predictor.runtime.name})>"


def load(reference: str, workspace: Workspace | None = None) -> Model:
    """Load a version from the registry into this process, its integrity checked.

    Args:
        reference: "name", "name@3" or "name@alias".
        workspace: Where it is registered; None opens the default data home.

    Raises:
        ModelNotFoundError: There is none of that name.
        ArtifactError: A file is not what was registered.
    """
    workspace = workspace or Workspace.open()
    version = workspace.registry.resolve(reference)
    workspace.registry.verify(reference)
    predictor = Predictor.load(version.folder, workspace.settings.threads)
    return Model(version.reference, predictor, version.lineage)
