"""The Open Inference Protocol over REST and gRPC, with raw clients: what is answered, and what is refused."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servery.errors import InputError
from servery.gateway.inference import grpc_wire, rest_wire
from servery.gateway.inference.datatypes import BYTES, NUMPY_NAMES, from_raw, to_raw
from servery.gateway.inference.grpc_calls import STATUSES
from servery.gateway.inference.grpc_messages import SERVICE, message

Call = Callable[..., httpx.Response]
Infer = Callable[..., httpx.Response]
Remote = Callable[..., Any]
BF16_TWO = (np.array([2.0], "<f4").view("<u4") >> 16).astype("<u2").tobytes()


@pytest.fixture
def infer(call: Call) -> Infer:
    """Send tensors, as JSON and raw bytes behind it."""

    def send(model: str, inputs: list[dict[str, Any]], raw: bytes = b"", **more: Any) -> httpx.Response:
        head = json.dumps({"inputs": inputs, **more.pop("body", {})}).encode()
        headers = {"inference-header-content-length": str(len(head))} if raw else {}
        headers |= more.pop("headers", {})
        return call("POST", f"/v2/models/{model}/infer", content=head + raw, headers=headers, **more)

    return send


@pytest.fixture(scope="session")
def channel(server: Any) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.grpc) as made:
        yield made


@pytest.fixture
def remote(channel: grpc.Channel, home: Any) -> Remote:
    """Call a method; an error is returned, not raised."""

    def send(method: str, sent: Any, key: str | None = "root", timeout: float = 20, **metadata: str) -> Any:
        if key is not None:
            metadata["authorization"] = f"Bearer {home.secrets[key]}"
        stub = channel.unary_unary(
            f"/{SERVICE}/{method}", lambda m: m if isinstance(m, bytes) else m.SerializeToString()
        )
        try:
            found, made = stub.with_call(sent, metadata=tuple(metadata.items()), timeout=timeout)
        except grpc.RpcError as error:
            return error
        return message(f"{method}Response").FromString(found), dict(made.trailing_metadata())

    return send


def x(shape: list[int], datatype: str = "FP32", **more: Any) -> dict[str, Any]:
    return {"name": "x", "shape": shape, "datatype": datatype, **more}


def numbers(raw: bytes, shape: list[int], datatype: str = "FP32") -> dict[str, Any]:
    return x(shape, datatype, parameters={"binary_data_size": len(raw)})


def typed(model: str = "signals", **contents: Any) -> Any:
    sent = message("ModelInferRequest")(model_name=model)
    entry = sent.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    for name, values in contents.items():
        getattr(entry.contents, name).extend(values)
    return sent


def raw_message(raw: bytes, shape: list[int], datatype: str = "FP32", model: str = "signals") -> Any:
    sent = message("ModelInferRequest")(model_name=model, raw_input_contents=[raw])
    sent.inputs.add(name="x", datatype=datatype, shape=shape)
    return sent


def test_json_and_raw_tensors_get_the_same_scores(infer: Infer) -> None:
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    told = infer("signals", [x([3, 4], data=values.tolist())]).json()
    flat = infer("signals", [x([3, 4], data=values.ravel().tolist())]).json()
    raw = values.tobytes()
    answer = infer("signals", [numbers(raw, [3, 4])], raw, body={"parameters": {"binary_data_output": True}})
    head = int(answer.headers["inference-header-content-length"])
    described = json.loads(answer.content[:head])["outputs"]
    scores = np.frombuffer(answer.content[head : head + 24], "<f4")
    assert described[0] == {
        "name": "scores",
        "datatype": "FP32",
        "shape": [3, 2],
        "parameters": {"binary_data_size": 24},
    }
    assert answer.headers["content-type"] == "application/octet-stream"
    assert np.allclose(told["outputs"][0]["data"], scores)
    assert told["outputs"] == flat["outputs"]


def test_an_answer_says_which_model_gave_it_and_echoes_the_id(infer: Infer, call: Call) -> None:
    told = infer("signals", [x([1, 4], data=[0, 0, 1, 1])], body={"id": "mine"})
    assert told.headers["x-model-version"] == "signals@1"
    assert {name: told.json()[name] for name in ("model_name", "model_version", "id")} == {
        "model_name": "signals",
        "model_version": "1",
        "id": "mine",
    }
    unnamed = infer("signals", [x([1, 4], data=[0, 0, 1, 1])])
    assert unnamed.json()["id"] == unnamed.headers["x-request-id"]
    versioned = call(
        "POST",
        "/v2/models/reviews/versions/2/infer",
        json={"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["great"]}]},
    ).json()
    assert (versioned["model_version"], versioned["outputs"][1]["data"]) == ("2", ["negative"])


def test_only_the_outputs_asked_for_come_each_in_its_own_way(infer: Infer) -> None:
    raw = np.ones(4, "<f4").tobytes()
    outputs = [{"name": "label"}, {"name": "scores", "parameters": {"binary_data": True}}]
    answer = infer("signals", [numbers(raw, [1, 4])], raw, body={"outputs": outputs})
    head = int(answer.headers["inference-header-content-length"])
    label, scores = json.loads(answer.content[:head])["outputs"]
    assert (label["name"], label["data"]) == ("label", ["left"])
    assert scores["parameters"] == {"binary_data_size": 8}
    assert np.frombuffer(answer.content[head:], "<f4").tolist() == [0.5, 0.5]


def test_a_missing_number_of_a_row_is_nan_in_raw_bytes_and_null_in_json(infer: Infer) -> None:
    rest = [
        {"name": "debt_ratio", "shape": [1, 1], "datatype": "FP64", "data": [0.9]},
        {"name": "home", "shape": [1, 1], "datatype": "BYTES", "data": ["rent"]},
    ]
    raw = np.array([np.nan]).tobytes()
    income = {"name": "income", "shape": [1, 1], "datatype": "FP64"}
    told = infer("loans", [{**income, "data": [None]}, *rest]).json()
    sent = infer("loans", [{**income, "parameters": {"binary_data_size": 8}}, *rest], raw).json()
    assert told["outputs"] == sent["outputs"]
    assert told["outputs"][1]["data"] == ["default"]


@pytest.mark.parametrize("as_base64", [True, False])
def test_a_picture_goes_as_its_bytes_or_in_base64(infer: Infer, house: Any, as_base64: bool) -> None:
    import base64

    picture = house.picture(250)
    content = base64.b64encode(picture) if as_base64 else picture
    raw = len(content).to_bytes(4, "little") + content
    sent = {
        "name": "image",
        "shape": [1, 1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(raw)},
    }
    assert infer("shades", [sent], raw).json()["outputs"][1]["data"] == ["bright"]


def test_bfloat16_is_read(infer: Infer) -> None:
    told = infer("signals", [numbers(BF16_TWO * 4, [1, 4], "BF16")], BF16_TWO * 4).json()
    assert told["outputs"][0]["data"] == [0.5, 0.5]


@pytest.mark.parametrize("is_raw", [True, False])
@pytest.mark.parametrize(("datatype", "name"), NUMPY_NAMES.items())
def test_every_datatype_is_answered_over_grpc(remote: Remote, datatype: str, name: str, is_raw: bool) -> None:
    values = np.array([0, 0, 1, 1], name)
    sent = raw_message(values.tobytes(), [1, 4], datatype)
    if not is_raw:
        del sent.raw_input_contents[:]
        if datatype == "FP16":
            return  # travels raw only
        getattr(sent.inputs[0].contents, grpc_wire._FIELDS[datatype]).extend(values.tolist())
    answer, _ = remote("ModelInfer", sent)
    scores = (
        np.frombuffer(answer.raw_output_contents[0], "<f4")
        if is_raw
        else answer.outputs[0].contents.fp32_contents
    )
    assert np.allclose(scores, [1 / (1 + np.e**2), 1 / (1 + np.e**-2)])
    assert is_raw or list(answer.outputs[1].contents.bytes_contents) == [b"right"]


HUGE = 2**31
REFUSED = [
    ("no inputs", [], b"", "takes each of 'x'"),
    ("an unknown input", [{**x([1, 4], data=[1] * 4), "name": "y"}], b"", "takes each of 'x'"),
    ("an input twice", [x([1, 4], data=[1] * 4)] * 2, b"", "takes each of 'x'"),
    ("no data", [x([1, 4])], b"", "neither a list of data nor a binary_data_size"),
    ("another shape", [x([1, 5], data=[1] * 5)], b"", "expected [-1, 4]"),
    ("no rows", [x([0, 4], data=[])], b"", "none of them empty"),
    ("a negative axis", [x([-1, 4], data=[1] * 4)], b"", "none of them empty"),
    ("two negative axes", [x([-2, -2], data=[1] * 4)], b"", "none of them empty"),
    ("a huge axis", [x([1, 2**40], data=[1])], b"", "none of them empty"),
    ("a product that overflows", [x([1, HUGE, HUGE, HUGE], data=[1])], b"", "numbers at x"),
    ("many axes", [x([1] * 40, data=[1])], b"", "1 to 16 axes"),
    ("too many rows", [x([2**20, 4], data=[1])], b"", "rows; this model accepts"),
    ("no datatype", [x([1, 4], "FP31", data=[1] * 4)], b"", "There is no datatype"),
    ("ragged lists", [x([2, 4], data=[[1, 2, 3, 4], [1, 2, 3]])], b"", "x/1"),
    ("too few numbers", [x([1, 4], data=[1, 2, 3])], b"", "Expected 4 numbers"),
    ("a text among numbers", [x([1, 4], data=[1, 2, "3", 4])], b"", "x/2"),
    ("null among numbers", [x([1, 4], data=[1, 2, None, 4])], b"", "x/2"),
    ("a boolean among numbers", [x([1, 4], data=[1, 2, True, 4])], b"", "x/2"),
    ("a number that is too large", [x([1, 4], data=[1, 2, 1e300, 4])], b"", "x/2"),
    ("an integer that is too large", [x([1, 4], "INT8", data=[1, 2, 300, 4])], b"", "x/2"),
    ("texts as JSON", [x([1, 4], "BYTES", data=["a"] * 4)], b"", "takes numbers"),
    ("raw bytes and data", [{**numbers(bytes(16), [1, 4]), "data": [1]}], bytes(16), "both"),
    ("too few raw bytes", [numbers(bytes(16), [1, 4])], bytes(15), "ends before"),
    ("too many raw bytes", [numbers(bytes(16), [1, 4])], bytes(17), "add up to 16"),
    ("raw bytes of another size", [numbers(bytes(12), [1, 4])], bytes(12), "has 16"),
    ("NaN", [numbers(np.full(4, np.nan, "f4").tobytes(), [1, 4])], np.full(4, np.nan, "f4").tobytes(), "NaN"),
    (
        "infinity",
        [numbers(np.full(4, np.inf).tobytes(), [1, 4], "FP64")],
        np.full(4, np.inf).tobytes(),
        "NaN",
    ),
    ("a negative size", [x([1, 4], parameters={"binary_data_size": -4})], b"", "no size"),
    ("a parameter of an input", [x([1, 4], data=[1] * 4, parameters={"frobnicate": 1})], b"", "frobnicate"),
    ("shared memory", [x([1, 4], parameters={"shared_memory_region": "r"})], b"", "shares no memory"),
]


@pytest.mark.parametrize(("inputs", "raw", "told"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_bad_tensors_are_refused_in_the_protocols_words(
    infer: Infer, inputs: Any, raw: bytes, told: str
) -> None:
    started = time.perf_counter()
    answer = infer("signals", inputs, raw)
    assert answer.status_code in (400, 422), answer.text
    assert told in answer.json()["error"], answer.text
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"outputs": [{"name": "nothing"}]}, "the model has scores, label"),
        ({"outputs": [{"name": "label"}, {"name": "label"}]}, "the model has scores, label"),
        ({"outputs": [{"name": "label", "parameters": {"classification": 1}}]}, "no classes"),
        ({"parameters": {"frobnicate": 1}}, "frobnicate"),
        ({"parameters": {"sequence_id": 3}}, "keeps state"),
        ({"parameters": {"timeout": -1}}, "microseconds"),
        ({"parameters": {"top_k": 1}}, "scores come whole"),
        ({"model_name": "another"}, "the path"),
        ({"frobnicate": 1}, "unknown field"),
        ({"id": "x" * 1000}, "id has more than"),
    ],
)
def test_bad_requests_are_refused(infer: Infer, body: dict[str, Any], told: str) -> None:
    answer = infer("signals", [x([1, 4], data=[1] * 4)], body=body)
    assert answer.status_code == 422
    assert told in answer.json()["error"]


@pytest.mark.parametrize("length", ["0", "-1", "x", "9" * 30, "1e3", "70000"])
def test_a_header_length_that_cannot_be_is_refused(infer: Infer, length: str) -> None:
    headers = {"inference-header-content-length": length}
    answer = infer("signals", [x([1, 4], data=[1] * 4)], headers=headers)
    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]


def test_a_body_over_the_bound_is_refused_in_the_protocols_words(call: Call) -> None:
    answer = call("POST", "/v2/models/signals/infer", content=bytes(1_100_000))
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]


def test_keys_hold_on_both_ways(infer: Infer, remote: Remote, call: Call) -> None:
    sent = [x([1, 4], data=[1] * 4)]
    assert infer("signals", sent, key=None).status_code == 401
    assert infer("signals", sent, key="only-loans").status_code == 403
    assert infer("signals", sent, key="app").status_code == 200
    assert call("POST", "/v2/repository/models/spare/unload", key="app").status_code == 403
    raw = raw_message(np.ones(4, "f4").tobytes(), [1, 4])
    assert remote("ModelInfer", raw, key=None).code() is grpc.StatusCode.UNAUTHENTICATED
    assert remote("ModelInfer", raw, key="only-loans").code() is grpc.StatusCode.PERMISSION_DENIED
    assert remote("ModelInfer", raw, key="app")[0].model_name == "signals"
    unload = message("RepositoryModelUnloadRequest")(model_name="spare")
    assert remote("RepositoryModelUnload", unload, key="app").code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    "method",
    [
        m.name
        for m in message("ModelInferRequest").DESCRIPTOR.file.services_by_name["GRPCInferenceService"].methods
    ],
)
def test_no_method_but_the_health_of_the_server_answers_without_a_key(remote: Remote, method: str) -> None:
    name = "ModelInferRequest" if method == "ModelStreamInfer" else f"{method}Request"
    answer = remote(method, message(name)(), key=None)
    if method in ("ServerLive", "ServerReady"):
        assert answer[0].live if method == "ServerLive" else answer[0].ready
    else:
        assert answer.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_request_id_and_the_error_code_come_back_as_trailing_metadata(remote: Remote) -> None:
    sent = raw_message(np.ones(4, "f4").tobytes(), [1, 4])
    assert remote("ModelInfer", sent, **{"x-request-id": "mine"})[1]["x-request-id"] == "mine"
    refused = remote("ModelInfer", raw_message(b"", [1, 4]), **{"x-request-id": "mine"})
    told = dict(refused.trailing_metadata())
    assert (told["x-request-id"], told["x-error-code"]) == ("mine", "input.invalid")


def test_grpc_requests_are_counted_with_the_others(remote: Remote, call: Call) -> None:
    def count() -> float:
        lines = call("GET", "/metrics", key="watcher").text.splitlines()
        wanted = [
            line
            for line in lines
            if line.startswith("servery_requests_total{")
            and 'model="counts"' in line
            and 'protocol="inference_grpc"' in line
        ]
        return sum(float(line.rpartition(" ")[2]) for line in wanted)

    before = count()
    remote("ModelInfer", raw_message(np.ones(4, "i4").tobytes(), [1, 4], "INT32", "counts"))
    assert count() == before + 1


def test_a_deadline_of_the_call_ends_its_work(remote: Remote, call: Call) -> None:
    sent = message("ModelInferRequest")(model_name="drill")
    entry = sent.inputs.add(name="text", datatype="BYTES", shape=[1, 1])
    entry.contents.bytes_contents.append(b"sleep=0.5")
    assert remote("ModelInfer", sent, timeout=0.1).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    sent.parameters["timeout"].int64_param = 50_000
    refused = remote("ModelInfer", sent)
    assert refused.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "deadline" in refused.details()
    time.sleep(0.7)  # the drill sleeps in its thread


GRPC_REFUSED = [
    ("nothing", message("ModelInferRequest")(model_name="signals"), "takes each of"),
    ("too few raw contents", raw_message(bytes(15), [1, 4]), "has 16"),
    ("a negative axis", raw_message(bytes(16), [-1, -4]), "none of them empty"),
    ("a product that overflows", raw_message(bytes(16), [1, HUGE, HUGE, HUGE]), "has"),
    ("typed contents in another field", typed(int_contents=[1, 2, 3, 4]), "expected fp32_contents"),
    (
        "typed contents in two fields",
        typed(fp32_contents=[1] * 4, int_contents=[1]),
        "expected fp32_contents",
    ),
    ("too few typed contents", typed(fp32_contents=[1, 2]), "its shape"),
    ("NaN", typed(fp32_contents=[1, 2, float("nan"), 4]), "NaN"),
]


@pytest.mark.parametrize(("sent", "told"), [r[1:] for r in GRPC_REFUSED], ids=[r[0] for r in GRPC_REFUSED])
def test_bad_messages_are_refused_with_a_status(remote: Remote, sent: Any, told: str) -> None:
    refused = remote("ModelInfer", sent)
    assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert told in refused.details()


def test_bytes_that_are_no_message_and_messages_over_the_bound_are_refused(remote: Remote) -> None:
    assert remote("ModelInfer", b"\xff\xff\xff").code() is grpc.StatusCode.INVALID_ARGUMENT
    huge = raw_message(bytes(1_100_000), [1, 4])
    assert remote("ModelInfer", huge).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert remote("ServerLive", message("ServerLiveRequest")())[0].live


def test_without_a_key_nothing_is_told_of_methods_and_no_message_is_read(channel: grpc.Channel) -> None:
    for path in (f"/{SERVICE}/Nothing", "/some.Service/Nothing", f"/{SERVICE}/ModelInfer"):
        stub = channel.unary_unary(path, lambda m: m)
        with pytest.raises(grpc.RpcError) as caught:
            stub(bytes(900_000), timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_every_status_has_a_name_of_grpc() -> None:
    assert all(hasattr(grpc.StatusCode, name) for name in STATUSES.values())


async def test_a_cancelled_call_leaves_the_queue(server: Any, home: Any, remote: Remote) -> None:
    sent = message("ModelInferRequest")(model_name="drill")
    sent.inputs.add(name="text", datatype="BYTES", shape=[1, 1]).contents.bytes_contents.append(b"sleep=0.3")
    metadata = (("authorization", f"Bearer {home.secrets['root']}"),)
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        stub = channel.unary_unary(f"/{SERVICE}/ModelInfer", lambda m: m.SerializeToString())
        running = asyncio.ensure_future(stub(sent, metadata=metadata))
        await asyncio.sleep(0.1)
        waiting = [stub(sent, metadata=metadata) for _ in range(10)]
        await asyncio.sleep(0.05)
        for one in waiting:
            one.cancel()
        started = time.perf_counter()
        await running
        await stub(sent, metadata=metadata)
        assert time.perf_counter() - started < 1.5  # and not the three seconds of the cancelled ones


def test_unloading_takes_a_model_out_of_service_until_it_is_loaded(call: Call, infer: Infer) -> None:
    try:
        assert call("POST", "/v2/repository/models/spare/unload").status_code == 200
        answer = infer("spare", [x([1, 4], data=[1] * 4)])
        assert (answer.status_code, answer.json()["code"]) == (404, "model.not_found")
        assert "unloaded" in answer.json()["error"]
        assert call("POST", "/v1/models/spare@1/predict", json={"inputs": [1] * 4}).status_code == 404
        index = call("POST", "/v2/repository/index").json()
        [entry] = [e for e in index if e["name"] == "spare"]
        assert (entry["state"], entry["reason"]) == ("UNAVAILABLE", "unloaded by an operator")
    finally:
        assert call("POST", "/v2/repository/models/spare/load").json() == {"name": "spare", "load": True}
    assert infer("spare", [x([1, 4], data=[1] * 4)]).status_code == 200
    assert call("POST", "/v2/repository/models/nobody/load").status_code == 404


def test_every_protocol_reads_tensors(predict: Any, call: Call) -> None:
    one, two = [0, 0, 1, 1], [1.0, 1.0, 0.0, 0.0]
    assert [a["label"] for a in predict("signals", one).json()["outputs"]] == ["right"]
    assert [a["label"] for a in predict("signals", [one, two]).json()["outputs"]] == ["right", "left"]
    raw = np.array([one, two], "<f4").tobytes()
    for path in ("/v1/models/signals/predict", "/v1/models/signals"):
        headers = {"content-type": "application/octet-stream"}
        told = call("POST", path, content=raw, headers=headers)
        assert told.status_code == 200, told.text
        rows = told.json()["outputs"] if path.endswith("predict") else told.json()
        assert len(rows) == 2
        assert call("POST", path, content=raw[:-1], headers=headers).status_code == 422


def test_raw_bytes_that_begin_like_json_are_numbers(call: Call) -> None:
    raw = b"{" + np.ones(4, "<f4").tobytes()[1:]
    answer = call(
        "POST",
        "/v1/models/signals/predict",
        content=raw,
        headers={"content-type": "application/octet-stream"},
    )
    assert answer.status_code == 200


ARRAYS = st.sampled_from([*NUMPY_NAMES.values()]).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(st.integers(0, 100), min_size=1, max_size=20))
)


@given(ARRAYS)
def test_raw_numbers_come_back(found: tuple[str, list[int]]) -> None:
    name, values = found
    array = np.array(values).astype(name)
    datatype = next(d for d, n in NUMPY_NAMES.items() if n == name)
    assert (from_raw(to_raw(array), datatype, array.shape, "x") == array).all()


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=10))
def test_raw_texts_come_back(texts: list[bytes]) -> None:
    array = np.empty(len(texts), object)
    array[:] = texts
    assert from_raw(to_raw(array), BYTES, array.shape, "x").tolist() == texts


@given(st.binary(max_size=60), st.integers(1, 5))
def test_any_raw_texts_are_read_or_refused(raw: bytes, count: int) -> None:
    try:
        found = from_raw(raw, BYTES, (count,), "x")
    except InputError:
        return
    assert to_raw(found) == raw


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)
SIZES = st.integers(-3, 6) | st.sampled_from([2**31, 2**40, 2**63, -(2**63), 2**70])
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "x", "y"]),
        "shape": st.lists(SIZES, max_size=5) | st.just([1, 4]) | JSON,
        "datatype": st.sampled_from([*NUMPY_NAMES, "BYTES", "BF16", "?"]) | JSON,
    },
    optional={
        "data": st.lists(st.integers(-1, 300) | st.floats() | JSON, max_size=6) | JSON,
        "parameters": st.dictionaries(
            st.sampled_from(["binary_data_size", "shared_memory_region", "other"]), SIZES | JSON, max_size=2
        ),
    },
)
BODIES = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=2) | JSON},
    optional={
        "outputs": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["scores", "label", "x"])}, optional={"parameters": JSON}
            )
        )
        | JSON,
        "parameters": st.dictionaries(
            st.sampled_from(["timeout", "sequence_id", "binary_data_output", "top_k"]), JSON, max_size=3
        )
        | JSON,
        "id": JSON,
    },
)
LENGTHS = st.none() | st.integers(-2, 400).map(str) | st.text(st.characters(codec="ascii"), max_size=5)
ANYWHERE = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@ANYWHERE
@given(body=BODIES | JSON, raw=st.binary(max_size=64), length=LENGTHS, is_right=st.booleans())
def test_no_rest_body_makes_a_server_error(
    call: Call, body: Any, raw: bytes, length: str | None, is_right: bool
) -> None:
    head = json.dumps(body).encode()
    length = str(len(head)) if is_right else length
    headers = (
        {}
        if length is None or "\n" in length or "\r" in length or "\0" in length
        else {"inference-header-content-length": length}
    )
    try:
        answer = call("POST", "/v2/models/signals/infer", content=head + raw, headers=headers)
    except (httpx.LocalProtocolError, UnicodeEncodeError):
        return
    assert answer.status_code < 500
    assert answer.status_code == 200 or answer.json()["error"]


@ANYWHERE
@given(raw=st.binary(max_size=80))
def test_no_bytes_make_the_decoders_of_either_way_fail(raw: bytes) -> None:
    for length in (None, str(len(raw) // 2)):
        with_error(lambda length=length: rest_wire.read(raw, length, "m", ""))
    from google.protobuf.message import DecodeError

    try:
        sent = message("ModelInferRequest").FromString(raw)
    except DecodeError:
        return
    with_error(lambda: grpc_wire.read(sent))


def with_error(read: Callable[[], Any]) -> None:
    """Whatever comes is read, or refused with an error of ours."""
    with suppress(InputError):
        read()


@st.composite
def messages(draw: st.DrawFn) -> Any:
    sent = message("ModelInferRequest")(
        model_name=draw(st.sampled_from(["signals", "reviews", "loans", "no", ""]))
    )
    sent.model_version = draw(st.sampled_from(["", "", "1", "x", "9999999999999999999999"]))
    for _ in range(draw(st.integers(0, 2))):
        shape = [s for s in draw(st.lists(SIZES, max_size=4)) if -(2**63) <= s < 2**63]
        entry = sent.inputs.add(
            name=draw(st.sampled_from(["x", "text", "y"])),
            datatype=draw(st.sampled_from([*NUMPY_NAMES, "BYTES", "BF16", "?"])),
            shape=draw(st.sampled_from([[1, 4], [1, 1], shape])),
        )
        if draw(st.booleans()):
            entry.contents.fp32_contents.extend(draw(st.lists(st.floats(width=32), max_size=5)))
        if draw(st.booleans()):
            entry.contents.bytes_contents.extend(draw(st.lists(st.binary(max_size=9), max_size=3)))
        if draw(st.booleans()):
            entry.parameters["shared_memory_region"].string_param = "r"
    sent.raw_input_contents.extend(draw(st.lists(st.binary(max_size=20), max_size=2)))
    if draw(st.booleans()):
        sent.outputs.add(name=draw(st.sampled_from(["scores", "label", "z"]))).parameters[
            "classification"
        ].int64_param = draw(st.integers(-5, 5))
    return sent


@ANYWHERE
@given(sent=messages())
def test_no_message_makes_a_server_error(remote: Remote, sent: Any) -> None:
    answer = remote("ModelInfer", sent)
    if isinstance(answer, grpc.RpcError):
        assert answer.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND), (
            answer.details()
        )


def test_without_the_extra_the_server_says_that_grpc_is_off_and_serves_rest(
    house: Any, tmp_path: Any
) -> None:
    (tmp_path / "grpc.py").write_text("raise ImportError('not installed')")
    with house.open_home(tmp_path / "home") as home:
        home.register("signals", house.signals(), "production")
        key = home.key("root", "admin")
        server = house.ServerProcess(home.folder, {"PYTHONPATH": str(tmp_path)})
        try:
            server.wait_until_ready()
            assert server.grpc == ""
            answer = httpx.get(f"{server.url}/v2/models/signals", headers={"x-api-key": key})
            assert answer.json()["name"] == "signals"
        finally:
            assert server.stop() == 0
        assert "gRPC is off" in (home.folder / "server.log").read_text()
