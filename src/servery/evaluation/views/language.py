"""What a report shows of a language model: where it was surprised, and what it writes."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.errors import ServeryError
from servery.evaluation.figure import Figure
from servery.evaluation.view import Case, View
from servery.models.predictor import Predictor
from servery.tasks.generated_text import TextGenerationAnswer, TextGenerationParameters
from servery.tasks.task import LearnableTask
from servery.tasks.text_generation import TextGeneration

SHOWN_PASSAGES = 2
WRITTEN_TOKENS = 120
PROMPT_CHARACTERS = 40
TEMPERATURES = (0.5, 0.8, 1.0)
MOST_SURPRISE = 6.0
"""Nats from which on a token has the strongest mark: a chance of one in four hundred."""


class LanguageModel(View):
    """Passages with marks where the model was surprised, and texts that it wrote."""

    name = "language-model"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task is to write on."""
        return isinstance(task, TextGeneration)

    def look(self, case: Case) -> dict[str, Any]:
        """Return passages token by token, and written texts."""
        column = case.test.inputs[0].name
        texts = [str(text) for text in case.test[column]]
        rows = np.linspace(0, len(texts) - 1, min(SHOWN_PASSAGES, len(texts))).astype(int).tolist()
        return {
            "passages": [_tokens(texts[row], case.targets[row], case.outputs[row]) for row in rows],
            "written": _written(case.predictor, str(case.targets[rows[0]])[:PROMPT_CHARACTERS]),
        }

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        return [_surprises(found["passages"]), _texts(found["written"])]


def _tokens(text: str, passage: str, output: np.ndarray) -> list[tuple[str, float]]:
    """Return the pieces of a passage and what each cost; several tokens of one character are one piece."""
    start = len(text) - len(passage)
    pieces: list[tuple[str, float]] = []
    for log_chance, left in output.tolist():
        end = len(text) - int(left)
        if end > start:
            pieces.append((text[start:end], -log_chance))
            start = end
        elif pieces and left < len(passage):
            pieces[-1] = (pieces[-1][0], pieces[-1][1] - log_chance)
    return pieces


def _written(predictor: Predictor, prompt: str) -> list[dict[str, Any]]:
    """Let the model write on, cooler and hotter; nothing where it cannot."""
    asked = [
        TextGenerationParameters(temperature=temperature, max_tokens=WRITTEN_TOKENS, seed=1)
        for temperature in TEMPERATURES
    ]
    try:
        answers = [predictor.predict([{predictor.signature.inputs[0].name: prompt}], one)[0] for one in asked]
    except ServeryError:
        return []
    return [
        {"temperature": one.temperature, "prompt": prompt, "text": answer.text}
        for one, answer in zip(asked, answers, strict=True)
        if isinstance(answer, TextGenerationAnswer)
    ]


def _surprises(passages: Sequence[Sequence[tuple[str, float]]]) -> Figure:
    pieces = [(text, nats) for passage in passages for text, nats in passage]
    worst = max(pieces, key=lambda piece: piece[1])
    mean = sum(nats for _, nats in pieces) / max(sum(len(text) for text, _ in pieces), 1)
    sentence = (
        f"In these {len(passages)} test passages a character costs {mean:.2f} nats on average. The stronger a mark, "
        f"the less the model expected that piece; least of all {worst[0]!r}, to which it gave a chance of "
        f"{np.exp(-worst[1]):.2%}."
    )
    style = "white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.8; margin: 0 0 1rem"
    drawn = "".join(
        f'<p style="{style}">{"".join(_mark(*piece) for piece in passage)}</p>' for passage in passages
    )
    dearest = sorted(pieces, key=lambda piece: -piece[1])[:20]
    rows = tuple((repr(text), f"{nats:.2f}", f"{np.exp(-nats):.2%}") for text, nats in dearest)
    return Figure("Where it was surprised", sentence, drawn, ("Piece", "Nats", "Chance"), rows)


def _mark(text: str, nats: float) -> str:
    share = min(nats / MOST_SURPRISE, 1.0)
    tint = f"color-mix(in srgb, var(--accent) {round(55 * share)}%, transparent)"
    return f'<span style="background: {tint}" title="{np.exp(-nats):.2%}">{html.escape(text)}</span>'


def _texts(written: Sequence[Mapping[str, Any]]) -> Figure:
    if not written:
        return Figure("What it writes", "It could not go on from the first test passage.", "", (), ())
    sentence = (
        f"Asked to go on from {written[0]['prompt']!r}, the beginning of a test passage, with three temperatures and "
        "seed 1. Nobody chose among several."
    )
    style = "white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.2rem 0 1rem"
    drawn = "".join(
        f"<p><b>temperature {one['temperature']:g}</b></p>"
        f'<p style="{style}"><span style="color: var(--soft)">{html.escape(one["prompt"])}</span>'
        f"{html.escape(one['text'])}</p>"
        for one in written
    )
    rows = tuple((f"{one['temperature']:g}", one["text"]) for one in written)
    return Figure("What it writes", sentence, drawn, ("Temperature", "Text"), rows)


LANGUAGE_MODEL = LanguageModel()
