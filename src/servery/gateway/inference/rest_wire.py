"""How an inference travels over REST: JSON, and behind it the raw bytes of the tensors that are sent as such."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import orjson

from servery.errors import InputError, MalformedError
from servery.gateway.inference.datatypes import BYTES, to_raw
from servery.gateway.inference.infer import Inferred, InferRequest, Output
from servery.gateway.inference.inputs import SentTensor
from servery.gateway.inference.parameters import binary_size, check_count, wanted_output
from servery.gateway.json_bounds import check_json_bounds
from servery.gateway.message import Response
from servery.gateway.strict_json import converted, decoded

HEADER_LENGTH = "inference-header-content-length"
"""The header that tells how many bytes of a body are JSON."""
_HEADER_LENGTH = HEADER_LENGTH.encode()
MOST_ID_CHARACTERS = 256

Parameters = dict[str, str | int | float | bool | None] | None


class _Input(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters = None
    data: Any = None


class _Output(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parameters: Parameters = None


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[_Input]
    outputs: list[_Output] | None = None
    parameters: Parameters = None
    id: str | None = None
    model_name: str | None = None
    model_version: str | None = None


_decoder = msgspec.json.Decoder(_Request)


def read(body: bytes, header_length: str | None, name: str, version: str) -> InferRequest:
    """Read a request's body.

    Args:
        body: JSON, and raw bytes behind it.
        header_length: What the header of that name says; None where there is none and all of the body is JSON.
        name: Of the model in the path; a client that repeats it in the body must say the same.
        version: Of the model in the path; empty for none.

    Raises:
        InputError: It is no request, or the sizes of the raw bytes do not add up.
    """
    length = json_bytes(header_length, len(body))
    sent = _read(body[:length] if length < len(body) else body)
    if len(sent.id or "") > MOST_ID_CHARACTERS:
        raise InputError(f"The id has more than {MOST_ID_CHARACTERS} characters.", param="/id")
    _check_same("model_name", sent.model_name, name)
    _check_same("model_version", sent.model_version, version)
    check_count(len(sent.parameters or ()), len(sent.inputs), len(sent.outputs or ()))
    inputs, start = [], length
    for entry in sent.inputs:
        size = binary_size(entry.name, entry.parameters or {})
        data = entry.data
        if size is not None:
            data = memoryview(body)[start : start + size]
            start += size
        inputs.append(_tensor(entry, data, start <= len(body)))
    if start != len(body):
        raise InputError(
            f"{len(body) - length:,} bytes follow the JSON; the inputs' binary_data_size add up to "
            f"{start - length:,}.",
            param="inputs",
        )
    outputs = [wanted_output(entry.name, entry.parameters or {}) for entry in sent.outputs or ()]
    return InferRequest(inputs, outputs, sent.parameters or {}, sent.id or "")


def response(asked: InferRequest, inferred: Inferred, request_id: str) -> Response:
    """Return the answer as JSON, with raw bytes behind it for each output that was asked for as such."""
    is_binary = asked.parameters.get("binary_data_output") is True
    version = inferred.predicted.replica.version
    raw: list[bytes] = []
    described = [_described(output, is_binary, raw) for output in inferred.outputs]
    head = orjson.dumps(
        {
            "model_name": version.name,
            "model_version": str(version.number),
            "id": asked.id or request_id,
            "outputs": described,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )
    headers = [(b"x-model-version", version.reference.encode())]
    if not raw:
        return Response(body=head, headers=headers)
    headers.append((_HEADER_LENGTH, b"%d" % len(head)))
    return Response(body=b"".join([head, *raw]), content_type="application/octet-stream", headers=headers)


def json_bytes(header: str | None, most: int) -> int:
    """Return how many bytes of a body are JSON.

    Raises:
        MalformedError: The header says something that cannot be.
    """
    if header is None:
        return most
    is_number = header.isascii() and header.isdigit() and len(header) <= 18
    if not is_number or not 1 <= int(header) <= most:
        raise MalformedError(
            f"Inference-Header-Content-Length is {header[:20]!r}; it must be from 1 to {most:,}, the body's length.",
            param=HEADER_LENGTH,
        )
    return int(header)


def _read(text: bytes) -> _Request:
    check_json_bounds(text)
    try:
        sent = _decoder.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return converted(decoded(text), _Request)  # says what is wrong in our own words
    if text.count(b":") > _names(sent):
        decoded(text)  # a text holds a colon, or a name stands twice: this looks exactly
    return sent


def _names(sent: _Request) -> int:
    """Return how many names a request must have at least; each is followed by a colon."""
    count = 1 + (sent.outputs is not None) + (sent.parameters is not None) + (sent.id is not None)
    count += len(sent.parameters or ())
    for entry in sent.inputs:
        count += 3 + (entry.data is not None) + (1 + len(entry.parameters) if entry.parameters else 0)
    for wanted in sent.outputs or ():
        count += 1 + (1 + len(wanted.parameters) if wanted.parameters else 0)
    return count


def _check_same(field: str, repeated: str | None, said: str) -> None:
    if repeated and repeated != said:
        raise InputError(
            f"The body says {field} {repeated[:100]!r}, the path {said[:100]!r}.", param=f"/{field}"
        )


def _tensor(entry: _Input, data: Any, is_there: bool) -> SentTensor:
    if not is_there:
        raise InputError(f"The body ends before the bytes of {entry.name[:60]!r}.", param="inputs")
    if isinstance(data, memoryview) and entry.data is not None:
        raise InputError(f"{entry.name[:60]!r} has both data and binary_data_size.", param="inputs")
    if not isinstance(data, (memoryview, list)):
        raise InputError(
            f"{entry.name[:60]!r} has neither a list of data nor a binary_data_size.", param="inputs"
        )
    return SentTensor(entry.name, entry.datatype, entry.shape, data)


def _described(output: Output, is_binary: bool, raw: list[bytes]) -> dict[str, Any]:
    values = output.values
    described: dict[str, Any] = {
        "name": output.name,
        "datatype": output.datatype,
        "shape": values.shape,
    }
    if is_binary if output.is_binary is None else output.is_binary:
        raw.append(to_raw(values))
        described["parameters"] = {"binary_data_size": len(raw[-1])}
    elif output.datatype == BYTES:
        described["data"] = [_as_text(value) for value in values.ravel().tolist()]
    else:
        described["data"] = values.ravel()
    return described


def _as_text(value: bytes) -> str:
    """Return a text, or in base64 what is none, e.g. a picture."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
