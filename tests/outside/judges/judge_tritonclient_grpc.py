"""tritonclient over gRPC: every dtype, the stream, every call that is no shared memory, and errors as statuses."""

import asyncio
import os
import queue

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_async
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

URL = os.environ["SERVERY_JUDGED_GRPC"]
HEADERS = {"authorization": f"Bearer {os.environ['SERVERY_JUDGED_KEY']}"}
DTYPES = [
    *(np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
    *(np.float16, np.float32, np.float64),
]


@pytest.fixture
def client():
    with triton.InferenceServerClient(URL) as made:
        yield made


def given(module, values, name="x"):
    sent = module.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    sent.set_data_from_numpy(values)
    return sent


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_answered(client, dtype, rows):
    values = np.tile(np.array([0, 0, 1, 1], dtype), (rows, 1))
    found = client.infer("signals", [given(triton, values)], request_id="mine", headers=HEADERS)
    assert found.get_response().id == "mine"
    assert found.as_numpy("scores").dtype == np.float32
    assert np.allclose(found.as_numpy("scores"), [[1 / (1 + np.e**2), 1 / (1 + np.e**-2)]] * rows)
    assert found.as_numpy("label").tolist() == [b"right"] * rows


def test_some_outputs_and_classes(client):
    values = given(triton, np.array([[0, 0, 1, 1]], np.float32))
    one = [triton.InferRequestedOutput("label")]
    found = client.infer("signals", [values], outputs=one, headers=HEADERS)
    assert found.as_numpy("scores") is None
    classes = [triton.InferRequestedOutput("scores", class_count=2)]
    named = client.infer("signals", [values], outputs=classes, headers=HEADERS).as_numpy("scores")
    assert [text.decode().split(":")[2] for text in named[0]] == ["right", "left"]


def test_texts_tables_and_versions(client):
    text = given(triton, np.array([["great fun"]], object), "text")
    for version, best in (("1", b"positive"), ("2", b"negative")):
        found = client.infer("reviews", [text], model_version=version, headers=HEADERS)
        assert found.as_numpy("label").tolist() == [best]
    table = [
        given(triton, np.array([[1.0]]), "income"),
        given(triton, np.array([[0.9]]), "debt_ratio"),
        given(triton, np.array([["rent"]], object), "home"),
    ]
    assert client.infer("loans", table, headers=HEADERS).as_numpy("label").tolist() == [b"default"]


def test_the_server_and_its_models_tell_what_they_are(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("signals", headers=HEADERS)
    assert not client.is_model_ready("nobody", headers=HEADERS)
    assert client.get_server_metadata(headers=HEADERS).name == "servery"
    told = client.get_model_metadata("signals", headers=HEADERS, as_json=True)
    assert told["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["-1", "4"]}]
    config = client.get_model_config("signals", headers=HEADERS).config
    assert list(config.input[0].dims) == [4]
    assert config.max_batch_size > 1
    assert config.backend == "linear"


def test_statistics_count_what_was_asked(client):
    def rows():
        told = client.get_inference_statistics("counts", "1", headers=HEADERS)
        return told.model_stats[0].inference_count

    before = rows()
    client.infer("counts", [given(triton, np.ones((5, 4), np.int32))], headers=HEADERS)
    assert rows() == before + 5
    assert len(client.get_inference_statistics(headers=HEADERS).model_stats) > 1


def test_a_model_is_unloaded_and_loaded_again(client):
    client.load_model("spare", headers=HEADERS)
    client.unload_model("spare", headers=HEADERS)
    index = client.get_model_repository_index(headers=HEADERS).models
    assert {entry.name: entry.state for entry in index}["spare"] == "UNAVAILABLE"
    assert not client.is_model_ready("spare", headers=HEADERS)
    client.load_model("spare", headers=HEADERS)
    assert client.is_model_ready("spare", headers=HEADERS)


@pytest.mark.parametrize(
    ("model", "sent", "status", "told"),
    [
        ("nobody", given(triton, np.ones((1, 4), np.float32)), "NOT_FOUND", "There is no model"),
        ("signals", given(triton, np.ones((1, 5), np.float32)), "INVALID_ARGUMENT", "shape"),
        ("signals", given(triton, np.ones((1, 4), np.float32), "y"), "INVALID_ARGUMENT", "'x' .FP32."),
        ("signals", given(triton, np.full((1, 4), np.inf, np.float32)), "INVALID_ARGUMENT", "infinity"),
        ("counts", given(triton, np.ones((1, 4), np.float64)), "INVALID_ARGUMENT", "reads int32"),
        ("reviews", given(triton, np.array([[b"\xff"]], object), "text"), "INVALID_ARGUMENT", "UTF-8"),
    ],
)
def test_errors_decode(client, model, sent, status, told):
    with pytest.raises(InferenceServerException, match=told) as caught:
        client.infer(model, [sent], headers=HEADERS)
    assert caught.value.status() == f"StatusCode.{status}"


def test_a_key_is_needed_and_a_deadline_holds(client):
    sent = [given(triton, np.ones((1, 4), np.float32))]
    with pytest.raises(InferenceServerException, match="valid key") as caught:
        client.infer("signals", sent)
    assert caught.value.status() == "StatusCode.UNAUTHENTICATED"
    slow = [given(triton, np.array([["sleep=1.0"]], object), "text")]
    with pytest.raises(InferenceServerException, match=r"[Dd]eadline") as caught:
        client.infer("drill", slow, client_timeout=0.1, headers=HEADERS)
    assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"


def test_shared_memory_is_refused(client):
    with pytest.raises(InferenceServerException) as caught:
        client.register_system_shared_memory("r", "/r", 8, headers=HEADERS)
    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
    sent = triton.InferInput("x", [1, 4], "FP32")
    sent.set_shared_memory("r", 16)
    with pytest.raises(InferenceServerException, match="shares no memory"):
        client.infer("signals", [sent], headers=HEADERS)


def test_a_stream_answers_in_order_and_tells_of_errors_in_their_place(client):
    told = queue.Queue()
    client.start_stream(lambda result, error: told.put((result, error)), headers=HEADERS)
    for place in range(10):
        width = 5 if place == 4 else 4
        client.async_stream_infer(
            "signals", [given(triton, np.ones((1, width), np.float32))], request_id=str(place)
        )
    answers = [told.get(timeout=20) for _ in range(10)]
    client.stop_stream()
    assert [error is not None for _, error in answers] == [place == 4 for place in range(10)]
    assert [r.get_response().id for r, e in answers if e is None] == [str(n) for n in range(10) if n != 4]


def test_many_requests_at_once(client):
    told = queue.Queue()
    for n in range(32):
        client.async_infer(
            "signals",
            [given(triton, np.full((1, 4), n, np.float32))],
            lambda result, error: told.put((result, error)),
            headers=HEADERS,
        )
    answers = [told.get(timeout=20) for _ in range(32)]
    assert all(e is None and r.as_numpy("scores").tolist() == [[0.5, 0.5]] for r, e in answers)


async def test_the_asynchronous_client():
    async with triton_async.InferenceServerClient(URL) as client:
        assert await client.is_server_ready()
        sent = given(triton_async, np.ones((1, 4), np.float32))
        found = await asyncio.gather(*(client.infer("signals", [sent], headers=HEADERS) for _ in range(16)))
        assert all(one.as_numpy("label").tolist() == [b"left"] for one in found)
        with pytest.raises(InferenceServerException, match="There is no model"):
            await client.infer("nobody", [sent], headers=HEADERS)

        async def requests():
            for n in range(3):
                yield {"model_name": "signals", "inputs": [sent], "request_id": str(n)}

        streamed = client.stream_infer(requests(), headers=HEADERS)
        assert [result.get_response().id async for result, error in streamed] == ["0", "1", "2"]
