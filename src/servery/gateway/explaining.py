"""One explanation, whatever protocol asked for it: the model looks at the inputs with and without their parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from servery.gateway.message import Request
from servery.gateway.prediction import Asked, Predicted, ask, content_type_of
from servery.models.explanation import (
    ExplainParameters,
    Explanation,
    Inquiry,
    checked_label,
    explainable,
)
from servery.serving.replica import Replica
from servery.tasks.form import Example

Reader = Callable[[bytes, str, Replica], tuple[list[Example], ExplainParameters]]
"""Reads a body of a content type as a protocol defines it."""


async def explained(request: Request, protocol: str, read: Reader) -> tuple[Predicted, Sequence[Explanation]]:
    """Explain the answers to a request for the model its path names; see `prediction.ask`.

    Raises:
        InputError: What came is not what the model takes, or cannot be explained.
    """
    body = await request.body()
    planned: list[tuple[Inquiry, str | None]] = []

    def plan(replica: Replica) -> Asked:
        explainable(replica.task)
        examples, parameters = read(body, content_type_of(request), replica)
        signature = replica.predictor.signature
        label = checked_label(parameters.label, signature.labels)
        inquiry = Inquiry.into(examples, replica.form, signature)
        planned.append((inquiry, label))
        return Asked(inquiry.examples, replica.task.parameters(), is_batch=True)

    async def in_thread(replica: Replica) -> Asked:
        return await asyncio.to_thread(plan, replica)  # it paints pictures

    predicted = await ask(request, protocol, request.parameters["model"], in_thread)
    inquiry, label = planned[0]
    return predicted, inquiry.explanations(predicted.replica.task, predicted.answered.answers, label)
