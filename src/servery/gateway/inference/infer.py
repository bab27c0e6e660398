"""One inference: tensors in, through the model's queue, tensors out; however they travelled."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from servery.data.columns import Column
from servery.errors import InputError
from servery.gateway.inference.datatypes import BYTES, datatype_of
from servery.gateway.inference.inputs import SentTensor, examples_of
from servery.gateway.inference.interface import interface_of
from servery.gateway.inference.parameters import WantedOutput, hasten, of_task
from servery.gateway.message import Request
from servery.gateway.prediction import LARGE_BODY_BYTES, Asked, Predicted, ask
from servery.serving.replica import Replica


@dataclass(slots=True)
class InferRequest:
    """What a client asks; an empty list of outputs means all."""

    inputs: list[SentTensor]
    outputs: list[WantedOutput] = field(default_factory=list)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(slots=True)
class Output:
    """One tensor of the answer; `values` are numbers, or objects that each are the bytes of a text."""

    name: str
    datatype: str
    values: np.ndarray
    is_binary: bool | None


@dataclass(slots=True)
class Inferred:
    """The answer."""

    predicted: Predicted
    outputs: list[Output]

    @property
    def is_large(self) -> bool:
        """Whether to write it takes long enough to hold up everyone else."""
        return sum(output.values.nbytes for output in self.outputs) > LARGE_BODY_BYTES


async def infer(request: Request, protocol: str, reference: str, asked: InferRequest) -> Inferred:
    """Answer tensors with tensors; see `prediction.ask`.

    Raises:
        InputError: The tensors are not what the model takes.
    """
    wanted: Sequence[WantedOutput] = ()

    async def read(replica: Replica) -> Asked:
        nonlocal wanted
        wanted = _wanted(asked.outputs, interface_of(replica).outputs)
        parameters = replica.task.tensor_parameters(of_task(asked.parameters, replica))
        if request.measures.bytes_in > LARGE_BODY_BYTES:
            examples = await asyncio.to_thread(examples_of, asked.inputs, replica)
        else:
            examples = examples_of(asked.inputs, replica)
        return Asked(examples, parameters, is_batch=True)

    hasten(request, asked.parameters)
    predicted = await ask(request, protocol, reference, read)
    return Inferred(predicted, _outputs(predicted, wanted))


def _wanted(asked: Sequence[WantedOutput], outputs: Mapping[str, Column]) -> Sequence[WantedOutput]:
    if not asked:
        return [WantedOutput(name) for name in outputs]
    names = {output.name for output in asked}
    if len(names) < len(asked) or not names <= outputs.keys():
        shown = ", ".join(repr(output.name[:60]) for output in asked[:20])
        raise InputError(
            f"The outputs asked for are {shown}; the model has {', '.join(outputs)}.", param="outputs"
        )
    for output in asked:
        column = outputs[output.name]
        if output.class_count and (len(column.shape) != 1 or not column.categories):
            raise InputError(f"{output.name!r} has no classes to name.", param="outputs")
    return asked


def _outputs(predicted: Predicted, wanted: Sequence[WantedOutput]) -> list[Output]:
    replica = predicted.replica
    names = [output.name for output in wanted]
    labels = replica.predictor.signature.labels
    tensors = replica.task.to_tensors(predicted.answered.answers, labels, names)
    columns = interface_of(replica).outputs
    return [_output(tensors[one.name], one, columns[one.name]) for one in wanted]


def _output(values: np.ndarray, wanted: WantedOutput, column: Column) -> Output:
    if not wanted.class_count:
        return Output(wanted.name, datatype_of(column), values, wanted.is_binary)
    named = _classes(values, wanted.class_count, column.categories)
    return Output(wanted.name, BYTES, named, wanted.is_binary)


def _classes(scores: np.ndarray, count: int, labels: Sequence[str]) -> np.ndarray:
    """Return the best classes of each row as "score:number:label", objects, (rows, count)."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    named = np.empty(order.shape, object)
    for row, places in enumerate(order.tolist()):
        named[row] = [f"{scores[row, place]:f}:{place}:{labels[place]}".encode() for place in places]
    return named
