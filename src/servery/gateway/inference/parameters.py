"""The parameters that requests, inputs and outputs carry: which are the protocol's, and what they ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from servery.errors import InputError, MalformedError
from servery.gateway.message import LONGEST_DEADLINE_MS, Request
from servery.gateway.strict_json import converted
from servery.serving.replica import Replica
from servery.tasks.task import Parameters

MOST = 100
MOST_TENSORS = 10_000
"""Inputs or outputs of one request: as many columns as a row may have."""
PROTOCOL = frozenset(
    {
        "binary_data_output",
        "content_type",
        "priority",
        "sequence_end",
        "sequence_id",
        "sequence_start",
        "timeout",
        "triton_enable_empty_final_response",
    }
)
"""Parameters of a request that are the protocol's or its usual clients'; all others are the task's."""


@dataclass(slots=True)
class WantedOutput:
    """One output that was asked for.

    Attributes:
        name: One of the model's outputs.
        is_binary: Whether it shall travel as raw bytes; None where nothing was said.
        class_count: How many classes to name instead of sending their scores; 0 for the scores themselves.
    """

    name: str
    is_binary: bool | None = None
    class_count: int = 0


def of_task(sent: Mapping[str, Any], replica: Replica) -> Parameters:
    """Return what a request asks of the task.

    Raises:
        InputError: The task knows no such parameter, or the model should keep state.
    """
    if not sent:
        return replica.task.parameters()
    check_count(len(sent))
    if sent.get("sequence_id"):
        raise InputError("No model here keeps state between the requests of a sequence.", param="sequence_id")
    own = {name: value for name, value in sent.items() if name not in PROTOCOL}
    return converted(own, replica.task.parameters, "/parameters")


def check_count(parameters: int = 0, inputs: int = 0, outputs: int = 0) -> None:
    """Refuse more of something than any request needs, before each of them is read.

    Raises:
        InputError: There is more.
    """
    counts = {
        "parameters": (parameters, MOST),
        "inputs": (inputs, MOST_TENSORS),
        "outputs": (outputs, MOST_TENSORS),
    }
    for what, (count, most) in counts.items():
        if count > most:
            raise InputError(f"{count:,} {what}; at most {most:,} are read.", param=f"/{what}")


def hasten(request: Request, sent: Mapping[str, Any]) -> None:
    """Let the parameter "timeout", in microseconds, bring the deadline forward; 0 is none.

    Raises:
        InputError: It is no such number.
    """
    timeout = sent.get("timeout")
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int) or not 0 <= timeout < 2**63:
        raise InputError("The parameter timeout is no number of microseconds.", param="/parameters/timeout")
    if timeout:
        bring_forward(request, -(-timeout // 1000))


def bring_forward(request: Request, deadline_ms: int) -> None:
    """Let a request's deadline be no later than this."""
    sent = request.header("x-deadline-ms")
    # What is no number stays: reading the deadline will refuse it.
    if sent is None or (sent.isdigit() and int(sent[:9]) > deadline_ms):
        request.headers[b"x-deadline-ms"] = b"%d" % min(max(deadline_ms, 1), LONGEST_DEADLINE_MS)


def binary_size(tensor: str, sent: Mapping[str, Any]) -> int | None:
    """Return how many raw bytes of an input follow the JSON; None where it says nothing of it.

    Raises:
        InputError: The input has a parameter that means nothing here.
    """
    size = None
    for name, value in sent.items():
        if name == "binary_data_size":
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InputError(f"{tensor[:60]!r} has no size as its {name}.", param=name)
            size = value
        elif name != "content_type":
            raise _unknown(tensor, name)
    return size


def wanted_output(tensor: str, sent: Mapping[str, Any]) -> WantedOutput:
    """Return what is asked for of one output.

    Raises:
        InputError: The output has a parameter that means nothing here.
    """
    wanted = WantedOutput(tensor)
    for name, value in sent.items():
        if name == "binary_data" and isinstance(value, bool):
            wanted.is_binary = value
        elif name == "classification" and isinstance(value, int) and 0 <= value < 2**31:
            wanted.class_count = int(value)
        elif name != "content_type":
            raise _unknown(tensor, name)
    return wanted


def _unknown(tensor: str, name: str) -> InputError:
    if name.startswith("shared_memory"):
        return shared_memory_error()
    return InputError(f"{tensor[:60]!r} has a parameter {name[:60]!r} that cannot be read.", param=name)


def shared_memory_error() -> MalformedError:
    """Return the answer to clients that would share memory."""
    return MalformedError(
        "This server shares no memory with its clients.",
        hint="Send the tensors in the request.",
        param="shared_memory_region",
    )
