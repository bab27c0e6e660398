"""Asks a model wherever it is: the running server if there is one, else this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from servery.client import Client
from servery.data.columns import Kind
from servery.errors import InputError, ModelNotFoundError, NotReadyError
from servery.models.signature import Signature
from servery.pipeline.local import load
from servery.pipeline.workspace import Workspace
from servery.settings import Settings

LONGEST_PATH = 4096


def ask(
    reference: str,
    inputs: Any,
    parameters: Mapping[str, Any] | None = None,
    workspace: Workspace | None = None,
) -> list[dict[str, Any]]:
    """Answer one input or a list of them.

    Args:
        reference: "name", "name@3" or "name@alias".
        inputs: A text, a row, a picture's bytes; bytes of text or JSON are read as such where the model wants those.
        parameters: What the task allows to ask.
        workspace: Where the model is registered; None opens the default data home.

    Raises:
        ModelNotFoundError: There is none of that name.
        InputError: The input is not what the model takes.
    """
    workspace = workspace or Workspace.open()
    version = workspace.registry.resolve(reference)
    signature = _signature(version.folder)
    readable = _readable(inputs, signature)
    base_url = f"http://{workspace.settings.host}:{workspace.settings.port}"
    if workspace.settings.admin_key_file.is_file():
        key = workspace.settings.admin_key_file.read_text().strip()
        try:
            with Client(base_url, api_key=key, retries=0) as client:
                return list(client.predict(reference, readable, **dict(parameters or {})))
        except (NotReadyError, ModelNotFoundError):
            # No server, or another home's server: the model is here all the same.
            pass
    return list(load(reference, workspace)(readable, **dict(parameters or {})))


def is_serving(settings: Settings) -> bool:
    """Whether a server answers at the address the settings name."""
    try:
        return httpx.get(f"http://{settings.host}:{settings.port}/livez", timeout=0.5).is_success
    except httpx.TransportError:
        return False


def answer_line(answer: Mapping[str, Any]) -> str:
    """Return one answer as a line for people.

    >>> answer_line({"label": "negative", "score": 0.97, "labels": [{"label": "negative", "score": 0.97}]})
    'negative 0.97'
    """
    labels = answer.get("labels") or [answer]
    shown = [entry for entry in labels if entry.get("selected", True)] or labels[:1]
    return ", ".join(f"{entry['label']} {entry['score']:.2f}" for entry in shown[:5])


def _signature(folder: Path) -> Signature:
    description = json.loads((folder / "predictor.json").read_text(encoding="utf-8"))
    return Signature.from_dict(description["signature"])


def _readable(inputs: Any, signature: Signature) -> Any:
    if Kind.IMAGE in signature.kinds:
        if isinstance(inputs, str) and len(inputs) < LONGEST_PATH and Path(inputs).is_file():
            raise InputError(
                f"{inputs} is a file; its name alone is no picture.", hint=f"@{inputs}", param="input"
            )
        return inputs
    text = inputs.decode("utf-8", errors="replace").strip() if isinstance(inputs, bytes) else inputs
    if Kind.TEXT in signature.kinds or not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        names = ", ".join(column.name for column in signature.inputs[:6])
        raise InputError(
            f"This model takes a row as JSON with {names}, but came: {text[:80]!r}.", param="input"
        ) from error
