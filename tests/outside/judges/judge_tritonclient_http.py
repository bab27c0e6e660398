"""tritonclient over HTTP: every dtype, raw and in JSON, and every call that is no shared memory."""

import asyncio
import os

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_async
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

URL = os.environ["SERVERY_JUDGED_URL"].removeprefix("http://")
HEADERS = {"authorization": f"Bearer {os.environ['SERVERY_JUDGED_KEY']}"}
# A copy goes with each call: the client leaves the length of its last JSON in the dict that it is given.
DTYPES = [
    *(np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
    *(np.float16, np.float32, np.float64),
]


@pytest.fixture
def client():
    with triton.InferenceServerClient(URL) as made:
        yield made


def given(module, values, name="x", is_binary=True, datatype=None):
    sent = module.InferInput(name, list(values.shape), datatype or np_to_triton_dtype(values.dtype))
    sent.set_data_from_numpy(values, binary_data=is_binary)
    return sent


def asked(is_binary, **more):
    return [triton.InferRequestedOutput(name, binary_data=is_binary, **more) for name in ("scores", "label")]


@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_answered_raw_and_in_json(client, dtype, rows, is_binary):
    values = np.tile(np.array([0, 0, 1, 1], dtype), (rows, 1))
    found = client.infer(
        "signals",
        [given(triton, values, is_binary=is_binary)],
        outputs=asked(is_binary),
        headers=dict(HEADERS),
    )
    scores = found.as_numpy("scores")
    assert scores.dtype == np.float32
    assert scores.shape == (rows, 2)
    assert np.allclose(scores, [1 / (1 + np.e**2), 1 / (1 + np.e**-2)])
    assert [bytes(v) if is_binary else v.encode() for v in found.as_numpy("label")] == [b"right"] * rows


def test_without_outputs_named_all_come_raw(client):
    found = client.infer(
        "signals", [given(triton, np.ones((2, 4), np.float32))], request_id="mine", headers=dict(HEADERS)
    )
    assert found.get_response()["id"] == "mine"
    assert found.get_response()["model_name"] == "signals"
    assert {o["name"] for o in found.get_response()["outputs"]} == {"scores", "label"}
    assert all("binary_data_size" in o["parameters"] for o in found.get_response()["outputs"])
    assert found.as_numpy("scores").tolist() == [[0.5, 0.5]] * 2


def test_a_version_can_be_named(client):
    text = np.array([["great fun"]], object)
    for version, best in (("1", b"positive"), ("2", b"negative")):
        found = client.infer(
            "reviews", [given(triton, text, "text")], model_version=version, headers=dict(HEADERS)
        )
        assert found.as_numpy("label").tolist() == [best]
        assert found.get_response()["model_version"] == version


@pytest.mark.parametrize("is_binary", [True, False])
def test_texts_go_as_bytes(client, is_binary):
    texts = np.array([["great fun and quick"], ["慢 rude"]], object)
    found = client.infer("reviews", [given(triton, texts, "text", is_binary)], headers=dict(HEADERS))
    assert found.as_numpy("label").tolist() == [b"positive", b"negative"]


def test_a_table_goes_as_one_tensor_a_column(client):
    found = client.infer(
        "loans",
        [
            given(triton, np.array([[1.0], [np.nan]]), "income"),
            given(triton, np.array([[0.1], [0.9]], np.float32), "debt_ratio"),
            given(triton, np.array([["own"], ["rent"]], object), "home"),
        ],
        headers=dict(HEADERS),
    )
    assert found.as_numpy("label").tolist() == [b"repay", b"default"]


def test_classes_are_named_instead_of_scores(client):
    found = client.infer(
        "signals",
        [given(triton, np.array([[0, 0, 1, 1]], np.float32))],
        outputs=[triton.InferRequestedOutput("scores", class_count=1)],
        headers=dict(HEADERS),
    )
    [[named]] = found.as_numpy("scores").tolist()
    score, number, label = named.decode().split(":")
    assert (float(score), number, label) == (pytest.approx(0.880797), "1", "right")


def test_the_server_and_its_models_tell_what_they_are(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("signals", headers=dict(HEADERS))
    assert not client.is_model_ready("nobody", headers=dict(HEADERS))
    assert client.get_server_metadata(headers=dict(HEADERS))["name"] == "servery"
    told = client.get_model_metadata("signals", headers=dict(HEADERS))
    assert told["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert told["outputs"][0] == {"name": "scores", "datatype": "FP32", "shape": [-1, 2]}
    assert client.get_model_metadata("reviews", "2", headers=dict(HEADERS))["versions"] == ["1", "2"]
    config = client.get_model_config("signals", headers=dict(HEADERS))
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}]
    assert config["max_batch_size"] > 1


def test_statistics_count_what_was_asked(client):
    def rows():
        [told] = client.get_inference_statistics("counts", "1", headers=dict(HEADERS))["model_stats"]
        return told["inference_count"]

    before = rows()
    client.infer("counts", [given(triton, np.ones((5, 4), np.int32))], headers=dict(HEADERS))
    assert rows() == before + 5
    everything = client.get_inference_statistics(headers=dict(HEADERS))["model_stats"]
    assert {"counts", "signals"} <= {told["name"] for told in everything}


def test_a_model_is_unloaded_and_loaded_again(client):
    def state():
        entries = client.get_model_repository_index(headers=dict(HEADERS))
        [entry] = [entry for entry in entries if entry["name"] == "spare"]
        return entry["state"]

    client.load_model("spare", headers=dict(HEADERS))
    assert state() == "READY"
    client.unload_model("spare", headers=dict(HEADERS))
    assert state() == "UNAVAILABLE"
    assert not client.is_model_ready("spare", headers=dict(HEADERS))
    with pytest.raises(InferenceServerException, match="unloaded"):
        client.infer("spare", [given(triton, np.ones((1, 4), np.float32))], headers=dict(HEADERS))
    client.load_model("spare", headers=dict(HEADERS))
    assert client.is_model_ready("spare", headers=dict(HEADERS))
    with pytest.raises(InferenceServerException, match="version never changes"):
        client.load_model("spare", headers=dict(HEADERS), config="{}")


@pytest.mark.parametrize(
    ("model", "sent", "status", "told"),
    [
        ("nobody", given(triton, np.ones((1, 4), np.float32)), "404", "There is no model"),
        ("signals", given(triton, np.ones((1, 5), np.float32)), "422", "shape"),
        ("signals", given(triton, np.ones((1, 4), np.float32), "y"), "422", "'x' .FP32."),
        ("signals", given(triton, np.full((1, 4), np.nan, np.float32)), "422", "NaN"),
        ("counts", given(triton, np.ones((1, 4), np.float32)), "422", "reads int32"),
        ("counts", given(triton, np.full((1, 4), 2**40, np.int64)), "422", "reads int32"),
        ("signals", given(triton, np.array([["a"] * 4], object)), "422", "object"),
        ("reviews", given(triton, np.array([[b"\xff\xfe"]], object), "text"), "422", "UTF-8"),
    ],
)
def test_errors_decode(client, model, sent, status, told):
    with pytest.raises(InferenceServerException, match=told) as caught:
        client.infer(model, [sent], headers=dict(HEADERS))
    assert caught.value.status() == status


def test_a_key_is_needed(client):
    with pytest.raises(InferenceServerException, match="valid key"):
        client.get_server_metadata()


def test_shared_memory_is_refused_in_the_protocols_own_words(client):
    assert client.get_system_shared_memory_status(headers=dict(HEADERS)) == []
    assert client.get_cuda_shared_memory_status(headers=dict(HEADERS)) == []
    for register in (
        lambda: client.register_system_shared_memory("r", "/r", 8, headers=dict(HEADERS)),
        lambda: client.register_cuda_shared_memory("r", b"handle", 0, 8, headers=dict(HEADERS)),
    ):
        with pytest.raises(InferenceServerException, match="shares no memory") as caught:
            register()
        assert caught.value.status() in ("400", "422")
    client.unregister_system_shared_memory(headers=dict(HEADERS))
    sent = triton.InferInput("x", [1, 4], "FP32")
    sent.set_shared_memory("r", 16)
    with pytest.raises(InferenceServerException, match="shares no memory"):
        client.infer("signals", [sent], headers=dict(HEADERS))


def test_many_requests_at_once(client):
    with triton.InferenceServerClient(URL, concurrency=8) as several:
        values = [np.full((1, 4), n, np.float32) for n in range(32)]
        waiting = [several.async_infer("signals", [given(triton, v)], headers=dict(HEADERS)) for v in values]
        assert all(w.get_result().as_numpy("scores").tolist() == [[0.5, 0.5]] for w in waiting)


async def test_the_asynchronous_client():
    async with triton_async.InferenceServerClient(URL) as client:
        assert await client.is_server_ready()
        assert (await client.get_model_metadata("signals", headers=dict(HEADERS)))["name"] == "signals"
        sent = given(triton_async, np.ones((1, 4), np.float32))
        found = await asyncio.gather(
            *(client.infer("signals", [sent], headers=dict(HEADERS)) for _ in range(16))
        )
        assert all(one.as_numpy("label").tolist() == [b"left"] for one in found)
        with pytest.raises(InferenceServerException, match="There is no model"):
            await client.infer("nobody", [sent], headers=dict(HEADERS))
