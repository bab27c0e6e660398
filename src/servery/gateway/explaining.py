"""One explanation, whatever protocol asked for it: the model looks at the inputs as often as the explanation needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

from servery.gateway.message import Request
from servery.gateway.prediction import Asked, Predicted, ask, content_type_of
from servery.models.counterfactual import MOST_LOOKS
from servery.models.explanation import (
    MOST_SEARCHED,
    ExplainParameters,
    Explanation,
    Inquiry,
    checked_label,
    completed,
    explainable,
    is_exact,
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
    planned: list[tuple[list[Example], Inquiry, ExplainParameters]] = []

    def plan(replica: Replica) -> Asked:
        explainable(replica.task)
        examples, parameters = read(body, content_type_of(request), replica)
        signature = replica.predictor.signature
        checked_label(parameters.label, signature.labels)
        exact = is_exact(replica.predictor, parameters)
        inquiry = Inquiry.into(examples, replica.form, signature, is_exact=exact)
        planned.append((examples, inquiry, parameters))
        return Asked(inquiry.examples, replica.task.parameters(), is_batch=True)

    async def in_thread(replica: Replica) -> Asked:
        return await asyncio.to_thread(plan, replica)  # it paints pictures

    predicted = await ask(request, protocol, request.parameters["model"], in_thread)
    examples, inquiry, parameters = planned[0]
    told = inquiry.explanations(predicted.replica.task, predicted.answered.answers, parameters.label)
    if not parameters.reasons and parameters.counterfactual is None:
        return predicted, told
    return await _completed(request, predicted, examples, told, parameters)


async def _completed(
    request: Request,
    predicted: Predicted,
    examples: list[Example],
    told: Sequence[Explanation],
    parameters: ExplainParameters,
) -> tuple[Predicted, Sequence[Explanation]]:
    """Add reasons and counterfactuals; the looks of a search are reserved before, and booked after it."""
    replica = predicted.replica
    with replica.lease():
        if parameters.counterfactual is None:
            return predicted, await asyncio.to_thread(
                completed, replica.predictor, examples, told, parameters
            )
        reservation = await request.reserve(replica, min(len(examples), MOST_SEARCHED) * MOST_LOOKS)
        started = perf_counter()
        try:
            found = await asyncio.to_thread(completed, replica.predictor, examples, told, parameters)
        except BaseException:
            reservation.release()
            raise
        seconds = perf_counter() - started
        looks = sum(one.counterfactual.looks for one in found if one.counterfactual is not None)
        reservation.settle(looks, seconds)
    return replace(predicted, more_units=looks, more_seconds=seconds), found
