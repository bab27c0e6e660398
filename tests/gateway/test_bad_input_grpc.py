"""Bad messages over gRPC: refused at once with a status that blames the caller, with nothing left behind."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import psutil
import pytest

from servery.gateway.inference.grpc_messages import SERVICE, message

MOST_MS = 50.0
TICK_MS = 10.0
"""The system counts a process's time in these."""
MOST_BYTES = 10 * 2**20
SETTLED_SECONDS = 1.5
MILLION = 10**6
REFUSALS = {"INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"}
Ask = Callable[[str, bytes], bytes]


def infer(model: str = "signals", **more: Any) -> bytes:
    """A good request, and what is wrong with it."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "contents": {"fp32_contents": [4, 3, 2, 1]}}
    sent = {"model_name": model, "inputs": [tensor], **more}
    return message("ModelInferRequest")(**sent).SerializeToString()  # type: ignore[no-any-return]


def tensor(**wrong: Any) -> bytes:
    good = {"name": "x", "datatype": "FP32", "shape": [1, 4], "contents": {"fp32_contents": [4, 3, 2, 1]}}
    return infer(inputs=[{name: value for name, value in {**good, **wrong}.items() if value is not None}])


def raw(content: bytes, **wrong: Any) -> bytes:
    good = {"name": "x", "datatype": "FP32", "shape": [1, 4]}
    return infer(inputs=[{**good, **wrong}], raw_input_contents=[content])


def field(number: int, content: bytes) -> bytes:
    """A protobuf field of bytes, as it stands on the wire."""
    size, encoded = len(content), b""
    while size > 127:
        encoded += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + encoded + bytes([size]) + content


NAN, INFINITY = float("nan"), float("inf")
MESSAGES: dict[str, Callable[[], bytes]] = {
    # First, as gRPC refuses it alone: what it leaves is given back after the next large one.
    "more than the limit": lambda: raw(b"\0" * (33 * 2**20)),
    "nothing": lambda: b"",
    "no protobuf": lambda: b"\xff" * 100,
    "torn": lambda: infer()[:-3],
    "JSON": lambda: b'{"model_name": "signals"}',
    "a name that is not UTF-8": lambda: field(1, b"\xff\xfe"),
    "a length beyond the end": lambda: b"\x0a\xff\xff\xff\xff\x0f",
    "groups in groups": lambda: b"\x0b" * 100_000,
    "no inputs": lambda: infer(inputs=[]),
    "a million inputs": lambda: field(1, b"signals") + field(5, b"") * MILLION,
    "a million outputs": lambda: infer() + field(6, b"") * MILLION,
    "a million raw contents": lambda: infer(inputs=[]) + field(7, b"") * MILLION,
    "a million parameters": lambda: infer() + b"".join(field(4, b"\x0a\x06%06d" % n) for n in range(MILLION)),
    "a million axes": lambda: tensor(shape=[1] * MILLION),
    "a million numbers": lambda: tensor(contents={"fp32_contents": [0.5] * MILLION}),
    "a product that overflows": lambda: tensor(shape=[2**62, 2**62, 4]),
    "a negative shape": lambda: tensor(shape=[-1, 4]),
    "an empty axis": lambda: tensor(shape=[1, 0]),
    "no shape": lambda: tensor(shape=[]),
    "NaN": lambda: tensor(contents={"fp32_contents": [NAN] * 4}),
    "Infinity": lambda: tensor(contents={"fp32_contents": [INFINITY] * 4}),
    "NaN in raw bytes": lambda: raw(struct.pack("<4f", NAN, 1, 1, 1)),
    "too few bytes": lambda: raw(b"\0" * 15),
    "too many bytes": lambda: raw(b"\0" * 17),
    "texts that overrun": lambda: raw(struct.pack("<I", 2**32 - 1) + b"x", datatype="BYTES"),
    "another type's field": lambda: tensor(contents={"int_contents": [4, 3, 2, 1]}),
    "two fields": lambda: tensor(contents={"fp32_contents": [1] * 4, "int_contents": [1] * 4}),
    "another type": lambda: tensor(datatype="INT64", contents={"int64_contents": [2**62, 3, 2, 1]}),
    "a type that is none": lambda: tensor(datatype="FP1024"),
    "typed and raw": lambda: infer(raw_input_contents=[b"\0" * 16]),
    "the same tensor twice": lambda: infer(inputs=[{"name": "x", "shape": [1, 4], "datatype": "FP32"}] * 2),
    "a tensor that is none": lambda: tensor(name="\u202ey\x00"),
    "an output that is none": lambda: infer(outputs=[{"name": "re\u0301sult"}]),
    "an unknown parameter": lambda: infer(parameters={"is_admin": {"bool_param": True}}),
    "shared memory": lambda: tensor(parameters={"shared_memory_region": {"string_param": "/etc/passwd"}}),
    "a timeout below zero": lambda: infer(parameters={"timeout": {"int64_param": -1}}),
    "an odd model": lambda: infer("re\u0301views\x00"),
    "another alphabet's model": lambda: infer("sign\u0430ls"),
    "a version that is none": lambda: infer(model_version="１"),
    "a version beyond 64 bits": lambda: infer(model_version="9" * 400),
}


@pytest.fixture(scope="module")
def hurt(house: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ask, psutil.Process]]:
    with house.open_home(tmp_path_factory.mktemp("hurt") / "home") as home:
        home.register("signals", house.signals(), "production")
        home.key("root", "admin")
        server = house.ServerProcess(home.folder)
        server.wait_until_ready(60)
        with grpc.insecure_channel(server.grpc) as channel:

            def ask(method: str, body: bytes) -> bytes:
                call = channel.unary_unary(f"/{SERVICE}/{method}")
                metadata = (("authorization", f"Bearer {home.secrets['root']}"),)
                return bytes(call(body, metadata=metadata, timeout=30))

            for _ in range(3):
                ask("ModelInfer", infer())
            yield ask, psutil.Process(server.process.pid)
        assert server.stop() == 0
        assert "unexpected error" not in (home.folder / "server.log").read_text()


def refused(ask: Ask, process: psutil.Process, body: bytes, method: str = "ModelInfer") -> float:
    """Return how many milliseconds the server worked on a refusal; the client's own work takes longer."""
    before = sum(process.cpu_times()[:2])
    with pytest.raises(grpc.RpcError) as found:
        ask(method, body)
    took_ms = (sum(process.cpu_times()[:2]) - before) * 1000
    assert found.value.code().name in REFUSALS, found.value
    assert 0 < len(found.value.details()) < 2000
    return took_ms


def test_bad_messages_are_refused_at_once_and_leave_nothing_behind(hurt: tuple[Ask, psutil.Process]) -> None:
    ask, process = hurt
    good = outputs(ask("ModelInfer", infer()))
    memory = process.memory_info().rss
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    slow = {}
    for name, made in MESSAGES.items():
        body = made()
        took_ms = min(refused(ask, process, body) for _ in range(3))
        if took_ms > MOST_MS * busy + TICK_MS:
            slow[name] = took_ms
    assert slow == {}
    time.sleep(SETTLED_SECONDS)
    assert process.memory_info().rss - memory <= MOST_BYTES
    assert outputs(ask("ModelInfer", infer())) == good


@pytest.mark.parametrize("method", ["ModelMetadata", "ModelConfig", "RepositoryModelLoad", "RepositoryIndex"])
def test_other_methods_refuse_what_is_no_message(hurt: tuple[Ask, psutil.Process], method: str) -> None:
    for body in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", field(1, b"\xff\xfe")):
        refused(*hurt, body, method)


def outputs(answer: bytes) -> Any:
    return list(message("ModelInferResponse").FromString(answer).outputs)
