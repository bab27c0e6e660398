"""Asks a model wherever it is: the running server if there is one, else this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

from servery.client import Client
from servery.data.columns import Kind
from servery.errors import InputError, ModelNotFoundError, NotReadyError
from servery.models.signature import Signature
from servery.pipeline.local import Model, load
from servery.pipeline.workspace import Workspace
from servery.prediction import Prediction
from servery.settings import Settings

Found = TypeVar("Found")

LONGEST_PATH = 4096
MOST_LINES = 12
LONGEST_LINE = 500
_ENCODED = {Kind.IMAGE: "picture", Kind.AUDIO: "recording"}
"""Kinds whose inputs are files, and what one is called."""


def ask(
    reference: str,
    inputs: Any,
    parameters: Mapping[str, Any] | None = None,
    workspace: Workspace | None = None,
) -> Prediction:
    """Answer one input or a list of them.

    Args:
        reference: "name", "name@3" or "name@alias".
        inputs: A text, a row, the bytes of a picture or recording; bytes of text or JSON are read as
            such where the model wants those.
        parameters: What the task allows to ask.
        workspace: Where the model is registered; None opens the default data home.

    Returns:
        The answers, one an input, like a list; with what to know about them.

    Raises:
        ModelNotFoundError: There is none of that name.
        InputError: The input is not what the model takes.
    """
    asked = dict(parameters or {})
    return _asked(
        reference,
        inputs,
        workspace or Workspace.open(),
        lambda client, readable: client.predict(reference, readable, **asked),
        lambda model, readable: model(readable, **asked),
    )


def explain(
    reference: str,
    inputs: Any,
    label: str | None = None,
    workspace: Workspace | None = None,
    *,
    reasons: int = 0,
    counterfactual: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Say why one input or each of a list gets its answer.

    Args:
        reference: "name", "name@3" or "name@alias".
        inputs: As for `ask`.
        label: What to explain; None explains the best label of each input.
        workspace: Where the model is registered; None opens the default data home.
        reasons: How many columns that speak against the label are said in words.
        counterfactual: What may change in the smallest change that turns the answer, e.g. `{"fixed": ["age"]}`; None
            looks for none.

    Raises:
        ModelNotFoundError: There is none of that name.
        InputError: The model's answers cannot be explained, or it has no such label.
    """
    return _asked(
        reference,
        inputs,
        workspace or Workspace.open(),
        lambda client, readable: client.explain(
            reference, readable, label=label, reasons=reasons, counterfactual=counterfactual
        ),
        lambda model, readable: model.explain(
            readable, label=label, reasons=reasons, counterfactual=counterfactual
        ),
    )


def _asked(
    reference: str,
    inputs: Any,
    workspace: Workspace,
    remotely: Callable[[Client, Any], Found],
    locally: Callable[[Model, Any], Found],
) -> Found:
    version = workspace.registry.resolve(reference)
    readable = _readable(inputs, _signature(version.folder))
    base_url = f"http://{workspace.settings.host}:{workspace.settings.port}"
    if workspace.settings.admin_key_file.is_file():
        key = workspace.settings.admin_key_file.read_text().strip()
        try:
            with Client(base_url, api_key=key, retries=0) as client:
                return remotely(client, readable)
        except (NotReadyError, ModelNotFoundError):
            # No server, or another home's server: the model is here all the same.
            pass
    return locally(load(reference, workspace), readable)


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
    >>> answer_line({"labels": [{"label": "negative", "score": 0.21}], "abstains": True})
    'no answer; the best guess would be negative 0.21'
    >>> drawn = {"positive": "ill", "threshold": 0.2}
    >>> answer_line({"label": "ill", "score": 0.3, "labels": [], "abstains": False, "decision": drawn})
    'ill 0.30 (ill is said from 0.20 on)'
    >>> answer_line({"text": "ok", "finish_reason": "stop"}), answer_line({"score": 0.5})
    ('ok', '{"score": 0.5}')
    >>> track = {"agent_id": "a1", "positions_m": [[1, 0], [2, 0]], "radius_m": [0.5, 1.0]}
    >>> answer_line({"agents": [track], "step_seconds": 0.4})
    'a1 at 2.0, 0.0 within 1.0 m in 0.8 s'
    >>> box = {"xmin": 1.0, "ymin": 2.0, "xmax": 9.0, "ymax": 8.0}
    >>> answer_line({"objects": [{"label": "cat", "score": 0.9, "box": box}]}), answer_line({"objects": []})
    ('cat 0.90 at 1, 2, 9, 8', 'no object')
    >>> answer_line({"items": [{"item_id": "mug", "score": 0.239}]})
    'mug 0.24'
    >>> answer_line({"action": "SLOWER", "label": "FASTER", "score": 0.8, "refused": ["FASTER"]})
    "SLOWER (the model's own choice: FASTER 0.80; refused: FASTER)"
    """
    if "image" in answer:
        return f"a picture of {answer['width']} x {answer['height']} pixels; --output FILE.png keeps it"
    if "objects" in answer:
        return "; ".join(_object_line(found) for found in answer["objects"]) or "no object"
    if "agents" in answer:
        return "; ".join(_agent_line(agent, answer["step_seconds"]) for agent in answer["agents"])
    if "items" in answer:
        return ", ".join(f"{found['item_id']} {found['score']:.2f}" for found in answer["items"]) or "no item"
    if "fillings" in answer:
        return ", ".join(f"{found['token_str']} {found['score']:.2f}" for found in answer["fillings"])
    if "action" in answer:
        refused = f"; refused: {', '.join(answer['refused'])}" if answer["refused"] else ""
        return (
            f"{answer['action']} (the model's own choice: {answer['label']} {answer['score']:.2f}{refused})"
        )
    if "labels" not in answer:
        text = answer.get("text")
        return text if isinstance(text, str) else json.dumps(answer, ensure_ascii=False)[:LONGEST_LINE]
    line = _labels_line(answer)
    return f"no answer; the best guess would be {line}" if answer.get("abstains") else line


def _labels_line(answer: Mapping[str, Any]) -> str:
    labels, decision = answer["labels"], answer.get("decision")
    if decision:
        drawn = f"{decision['positive']} is said from {decision['threshold']:.2f} on"
        return f"{answer['label']} {answer['score']:.2f} ({drawn})"
    shown = [entry for entry in labels if entry.get("selected", True)] or labels[:1]
    return ", ".join(f"{entry['label']} {entry['score']:.2f}" for entry in shown[:5])


def _agent_line(agent: Mapping[str, Any], step_seconds: float) -> str:
    if not agent["positions_m"]:
        return f"{agent['agent_id']} is not seen now"
    x, y = agent["positions_m"][-1]
    radius = f" within {agent['radius_m'][-1]:.1f} m" if agent["radius_m"] else ""
    return (
        f"{agent['agent_id']} at {x:.1f}, {y:.1f}{radius} in {len(agent['positions_m']) * step_seconds:.1f} s"
    )


def _object_line(found: Mapping[str, Any]) -> str:
    box = ", ".join(f"{found['box'][edge]:.0f}" for edge in ("xmin", "ymin", "xmax", "ymax"))
    return f"{found['label']} {found['score']:.2f} at {box}"


def explanation_lines(explanation: Mapping[str, Any]) -> list[str]:
    """Return one explanation as lines for people, the parts that matter most first.

    >>> rude = {"part": {"column": "text", "text": "rude", "start": 0}, "effect": 0.4}
    >>> explanation_lines({"label": "negative", "score": 0.97, "effects": [rude]})
    ['negative 0.97', '+0.400  rude']
    """
    effects = sorted(explanation["effects"], key=lambda effect: -abs(effect["effect"]))[:MOST_LINES]
    points = explanation.get("points")
    counterfactual = explanation.get("counterfactual")
    return [
        f"{explanation['label']} {explanation['score']:.2f}" + (f", {points:.0f} points" if points else ""),
        *(f"{effect['effect']:+.3f}  {_part_text(effect['part'])}" for effect in effects),
        *(f"{place}. {why['words']}" for place, why in enumerate(explanation.get("reasons", ()), start=1)),
        *([counterfactual["words"]] if counterfactual else []),
    ]


def _part_text(part: Mapping[str, Any]) -> str:
    if part.get("box"):
        left, top, width, height = part["box"]
        return f"{part['column']} at {left},{top}, {width} x {height} pixels"
    return part["text"] if part.get("start") is not None else f"{part['column']} = {part.get('text', '')}"


def _signature(folder: Path) -> Signature:
    description = json.loads((folder / "predictor.json").read_text(encoding="utf-8"))
    return Signature.from_dict(description["signature"])


def _readable(inputs: Any, signature: Signature) -> Any:
    noun = next((noun for kind, noun in _ENCODED.items() if kind in signature.kinds), None)
    if noun is not None:
        if isinstance(inputs, str) and len(inputs) < LONGEST_PATH and Path(inputs).is_file():
            raise InputError(
                f"{inputs} is a file; its name alone is no {noun}.", hint=f"@{inputs}", param="input"
            )
        return inputs
    text = inputs.decode("utf-8", errors="replace").strip() if isinstance(inputs, bytes) else inputs
    is_one_text = len(signature.inputs) == 1 and signature.kinds & {Kind.TEXT, Kind.MARKED_TEXT}
    if is_one_text or not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        names = ", ".join(column.name for column in signature.inputs[:6])
        raise InputError(
            f"This model takes a row as JSON with {names}, but came: {text[:80]!r}.", param="input"
        ) from error
