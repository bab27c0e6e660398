"""What reads bytes from outside, one function each: whatever it is given, it may raise nothing but a ServeryError."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from servery.data.columns import Column, Kind, Role
from servery.data.row_files import open_rows
from servery.errors import ServeryError
from servery.gateway.access import _secret
from servery.gateway.app import protocol_routes
from servery.gateway.inference import rest_wire
from servery.gateway.inference.datatypes import NUMPY_NAMES, from_raw
from servery.gateway.inference.grpc_bounds import check_message_bounds
from servery.gateway.inference.grpc_calls import Call, _parsed
from servery.gateway.inference.grpc_wire import read as read_message
from servery.gateway.limits import check_host
from servery.gateway.message import Request
from servery.gateway.openai.multipart import parts_of
from servery.gateway.permission import Permission
from servery.gateway.protocols.jobs import PageQuery, UploadQuery
from servery.gateway.route import RouteTable
from servery.gateway.strict_json import decoded, decoded_as
from servery.models.encoders.pictures import open_picture
from servery.models.predictor import Predictor
from servery.models.signature import Limits
from servery.schemas import UsageQuery
from servery.tasks.arrays import from_lists
from servery.tasks.forms.audio import AUDIO
from servery.tasks.forms.image import IMAGE
from servery.tasks.forms.table import TABLE
from servery.tasks.forms.tensor import TENSOR
from servery.tasks.forms.text import TEXT

HOUSE = Path(__file__).parent.parent / "gateway" / "house.py"
LIMITS = Limits(max_inputs=64, max_text_characters=1000, max_audio_seconds=5, max_tensor_values=1000)


@dataclass(frozen=True)
class Target:
    """A reader of bytes.

    Attributes:
        read: Reads them.
        seeds: What it takes, or nearly.
    """

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]

    def __call__(self, data: bytes) -> bool:
        """Return whether it was read; only a ServeryError may come of it else."""
        try:
            self.read(data)
        except ServeryError as error:
            msgspec.json.encode(error.body("id"))  # what is told must be a text that can be sent
            return False
        return True


def load_house() -> ModuleType:
    """Return the gateway tests' house."""
    import importlib.util

    if "servery_test_house" not in sys.modules:
        spec = importlib.util.spec_from_file_location("servery_test_house", HOUSE)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["servery_test_house"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["servery_test_house"])
    return sys.modules["servery_test_house"]


@cache
def models() -> Mapping[str, Predictor]:
    """The house's models whose encoders read texts and recordings."""
    house = load_house()
    return {"reviews": house.reviews(), **house.load_room("openai_models").all_models()}


def column(kind: Kind, **more: Any) -> Column:
    return Column("x", kind, Role.INPUT, **more)


ROW = (
    Column("n", Kind.NUMBER, Role.INPUT),
    Column("c", Kind.CATEGORY, Role.INPUT),
    Column("t", Kind.TEXT, Role.INPUT),
)
COLUMNS = {
    TEXT: (column(Kind.TEXT),),
    TABLE: ROW,
    TENSOR: (column(Kind.TENSOR, shape=(2, -1), dtype="float32"),),
    IMAGE: (column(Kind.IMAGE),),
    AUDIO: (column(Kind.AUDIO),),
}
ROUTES = protocol_routes()
STRUCTS = [route.request for route in ROUTES if isinstance(route.request, type)]
QUERIES = [route.query for route in ROUTES if route.query is not None]
QUERY_SEEDS = (
    (UploadQuery, b"model=reviews&id=a%20b&deadline_seconds=2.5"),
    (PageQuery, b"limit=3&cursor=x"),
    (UsageQuery, b"since=24h&group=key,day"),
)
ENDINGS = [
    (".csv", "csv"),
    (".jsonl", "jsonl"),
    (".parquet", "parquet"),
    (".csv.gz", "csv"),
    (".jsonl.gz", "jsonl"),
]
TYPES = {TEXT: "text/plain", TABLE: "application/json", TENSOR: "application/octet-stream"}
TABLE_OF_ROUTES = RouteTable(ROUTES)


def split(data: bytes) -> tuple[bytes, bytes]:
    """A first line, and the rest."""
    head, _, rest = data.partition(b"\n")
    return head, rest


def one_of(choices: list[Any], data: bytes) -> Any:
    return choices[(data[0] if data else 0) % len(choices)]


def read_struct(data: bytes) -> None:
    decoded_as(data[1:], one_of(STRUCTS, data))


def read_form(data: bytes) -> None:
    head, body = split(data)
    for part in parts_of(body, head.decode("latin-1")):
        assert part.text is not None


def read_query(data: bytes) -> None:
    scope = {"query_string": data[1:]}
    request = Request(scope, None, None, {}, "id")  # type: ignore[arg-type]
    request.query(one_of(QUERIES, data))


def read_head(data: bytes) -> None:
    method, _, path = data.decode("latin-1").partition(" ")
    TABLE_OF_ROUTES.find(method, path)
    TABLE_OF_ROUTES.error_shape(path)
    TABLE_OF_ROUTES.methods(path)
    headers = {b"authorization": data, b"host": data, b"x-deadline-ms": data}
    _secret(headers)
    check_host(data, "127.0.0.1")


def read_inference(data: bytes) -> None:
    head, body = split(data)
    found = rest_wire.read(body, head.decode("latin-1") or None, "m", "1")
    for tensor in found.inputs:
        if isinstance(tensor.data, memoryview):
            read_elements(tensor.data, tensor.datatype, tuple(tensor.shape))


def read_raw(data: bytes) -> None:
    head, raw = split(data)
    name, *axes = head.decode("latin-1").split(",")
    shape = tuple(int(axis) for axis in axes[:16] if axis.isascii() and axis.isdigit() and len(axis) < 10)
    read_elements(raw, name, shape or (1,))


def read_elements(raw: bytes | memoryview, datatype: str, shape: tuple[int, ...]) -> None:
    if 1 <= len(shape) <= 16 and min(shape) > 0:  # `inputs.examples_of` sees to that
        from_raw(raw, datatype, shape, "x")


def read_grpc(data: bytes) -> None:
    check_message_bounds(data)
    read_message(_parsed(Call("ModelInfer", Permission.PREDICT, None), data))  # type: ignore[arg-type]


def read_lists(data: bytes) -> None:
    dtype = one_of(list(NUMPY_NAMES.values()), data)
    shape = one_of([(2,), (2, 2), (-1, 2), (1, -1, 3), ()], data[1:])
    from_lists(decoded(data[2:]), shape, dtype, "/inputs", 1000)


def read_forms(data: bytes) -> None:
    form = one_of(list(COLUMNS), data)
    value = decoded(data[1:])
    form.examples(value, COLUMNS[form], LIMITS)
    form.is_batch(value, COLUMNS[form])


def read_bodies(data: bytes) -> None:
    form = one_of(list(COLUMNS), data)
    form.examples_from_bytes(data[1:], TYPES.get(form, ""), COLUMNS[form], LIMITS)


def read_picture(data: bytes) -> None:
    IMAGE.examples_from_bytes(data, "image/png", COLUMNS[IMAGE], LIMITS)
    open_picture(data, "x")


def read_recording(data: bytes) -> None:
    model = models()["tones"]
    [wanted] = model.signature.inputs
    examples = AUDIO.examples_from_bytes(data, "audio/wav", (wanted,), LIMITS)
    model.encoder.encode(examples)


def read_text(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for name in ("reviews", "meaning", "unwanted"):
        model = models()[name]
        [wanted] = model.signature.inputs
        model.encoder.encode(TEXT.examples(text, (wanted,), LIMITS))


def read_rows(data: bytes) -> None:
    ending, file_format = one_of(ENDINGS, data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{ending}"
        path.write_bytes(data[1:])
        for _ in open_rows(path, file_format).rows:
            pass


def _png() -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("L", (3, 2), 7).save(stream, "PNG")
    return stream.getvalue()


def _wav() -> bytes:
    import numpy as np

    from servery.data.audio import wav_of

    return wav_of(np.zeros(400, np.float32), 8000)


def _message() -> bytes:
    from servery.gateway.inference.grpc_messages import message

    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "contents": {"fp32_contents": [1, 2]}}
    return message("ModelInferRequest")(model_name="m", inputs=[tensor]).SerializeToString()  # type: ignore[no-any-return]


_INFER = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}'
_BINARY = b'{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}]}'
_FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n1\r\n--x--\r\n'
_EXAMPLES = tuple(
    bytes([STRUCTS.index(route.request)]) + json.dumps(route.example).encode()
    for route in ROUTES
    if isinstance(route.request, type) and route.example is not None
)

TARGETS: dict[str, Target] = {
    "json": Target(
        decoded, (b'{"a": [1, -2.5e3, "\\u00e9", null, true], "b": {"a": {}}}', b'"\\ud83d\\ude00"')
    ),
    "structs": Target(read_struct, _EXAMPLES),
    "form": Target(read_form, (b"multipart/form-data; boundary=x\n" + _FORM,)),
    "query": Target(read_query, tuple(bytes([QUERIES.index(struct)]) + text for struct, text in QUERY_SEEDS)),
    "head": Target(
        read_head, (b"POST /v1/models/reviews%40production:predict", b"localhost:80", b"Bearer sk-1")
    ),
    "inference": Target(
        read_inference,
        (b"\n" + _INFER, b"%d\n" % len(_BINARY) + _BINARY + b"\2\0\0\0hi", b"%d\n" % len(_INFER) + _INFER),
    ),
    "raw tensors": Target(
        read_raw, (b"BYTES,2\n\1\0\0\0a\0\0\0\0", b"FP32,1,2\n" + b"\0" * 8, b"BF16,2\n\0\1\2\3")
    ),
    "gRPC": Target(read_grpc, (_message(),)),
    "lists": Target(read_lists, (b"\6\0[1, 2]", b"\x0a\1[[1, 2.5], [3, 4]]", b"\0\2[[true, false]]")),
    "forms": Target(
        read_forms,
        (
            b'\0["a", "b"]',
            b'\1[{"n": 1.5, "c": "a", "t": "b"}]',
            b"\2[[1, 2], [3, 4]]",
            b'\3"data:image/png;base64,iVBORw0KGgo="',
            b'\4"UklGRiQAAABXQVZFZm10IA=="',
        ),
    ),
    "bodies": Target(read_bodies, (b"\0great fun", b"\1n,c,t\n1,a,b\n", b"\2" + b"\0" * 16)),
    "picture": Target(read_picture, (_png(),)),
    "recording": Target(read_recording, (_wav(),)),
    "text": Target(read_text, ("great fun, réviews \u202e\U0001f600".encode(),)),
    "rows": Target(
        read_rows,
        (b'\0a,b\n1,"x\ny"\n2,3\n', b'\1{"a": 1}\n[2]\n"x"\n', b"\2PAR1\0\0\0\0PAR1", b"\3\x1f\x8b\x08"),
    ),
}
