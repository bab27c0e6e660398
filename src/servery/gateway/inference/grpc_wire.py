"""How an inference travels over gRPC: raw bytes beside the tensors, or their elements in typed fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError
from servery.gateway.inference.datatypes import BYTES, NUMPY_NAMES, element_bytes, to_raw
from servery.gateway.inference.grpc_messages import message
from servery.gateway.inference.infer import Inferred, InferRequest, Output
from servery.gateway.inference.inputs import SentTensor, check_elements
from servery.gateway.inference.parameters import binary_size, check_count, wanted_output
from servery.tasks.arrays import exact

_FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    **{"INT64": "int64_contents", "UINT64": "uint64_contents"},
    **{"FP32": "fp32_contents", "FP64": "fp64_contents", BYTES: "bytes_contents"},
}
"""Datatype to the field of its elements; FP16 and BF16 have none."""


def read(sent: Any) -> InferRequest:
    """Read a ModelInferRequest.

    Raises:
        InputError: Raw bytes and typed contents are mixed, a parameter means nothing here, or there is too much.
    """
    check_count(inputs=len(sent.inputs), outputs=len(sent.outputs))
    raw = sent.raw_input_contents
    if raw and len(raw) != len(sent.inputs):
        raise InputError(
            f"{len(sent.inputs)} inputs came with {len(raw)} raw_input_contents; expected one each, or none.",
            param="raw_input_contents",
        )
    tensors = []
    for place, entry in enumerate(sent.inputs):
        if entry.parameters:
            binary_size(entry.name, parameters_of(entry.parameters))
        if raw and entry.HasField("contents"):
            raise InputError(
                f"{entry.name[:60]!r} has both contents and raw_input_contents.", param="raw_input_contents"
            )
        data = raw[place] if raw else _elements(entry)
        tensors.append(SentTensor(entry.name, entry.datatype, tuple(entry.shape), data))
    outputs = [wanted_output(entry.name, parameters_of(entry.parameters)) for entry in sent.outputs]
    return InferRequest(tensors, outputs, parameters_of(sent.parameters), sent.id)


def response(sent: Any, inferred: Inferred, request_id: str) -> Any:
    """Return the ModelInferResponse: raw bytes where raw bytes were sent, else typed contents where all have them."""
    version = inferred.predicted.replica.version
    answer = message("ModelInferResponse")(
        model_name=version.name, model_version=str(version.number), id=sent.id or request_id
    )
    is_raw = bool(sent.raw_input_contents) or any(o.datatype not in _FIELDS for o in inferred.outputs)
    for output in inferred.outputs:
        entry = answer.outputs.add(name=output.name, datatype=output.datatype, shape=output.values.shape)
        if is_raw:
            answer.raw_output_contents.append(to_raw(output.values))
        else:
            _fill(entry.contents, output)
    return answer


def parameters_of(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as plain types; one without a value is None.

    Raises:
        InputError: There are too many.
    """
    check_count(len(sent))
    return {
        name: getattr(value, chosen) if (chosen := value.WhichOneof("parameter_choice")) else None
        for name, value in sent.items()
    }


def _elements(entry: Any) -> np.ndarray:
    """Return the elements of a tensor's typed contents, flat."""
    datatype = entry.datatype
    element_bytes(datatype)  # refuses what is none
    field = _FIELDS.get(datatype)
    others = [found.name for found, _ in entry.contents.ListFields() if found.name != field]
    if field is None or others:
        raise InputError(
            f"{entry.name[:60]!r} of {datatype} has its elements in {', '.join(others) or 'no field'}; "
            f"expected {field or 'raw_input_contents'}.",
            param="contents",
        )
    values = getattr(entry.contents, field)
    check_elements(len(values), entry.shape, entry.name)  # before they become objects
    if datatype == BYTES:
        texts = np.empty(len(values), object)
        texts[:] = list(values)
        return texts
    wanted = NUMPY_NAMES[datatype]
    if datatype in ("INT8", "INT16", "UINT8", "UINT16"):  # they travel in wider ones
        wide = np.fromiter(values, "int32" if datatype[0] == "I" else "uint32", len(values))
        return exact(wide, Column(entry.name, Kind.TENSOR, Role.INPUT, dtype=wanted))
    return np.fromiter(values, wanted, len(values))


def _fill(contents: Any, output: Output) -> None:
    getattr(contents, _FIELDS[output.datatype]).extend(output.values.ravel().tolist())
