"""The KServe SDK in the Open Inference Protocol, over REST and gRPC."""

import os

import grpc
import httpx
import numpy as np
import pytest
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

URL = os.environ["SERVERY_JUDGED_URL"]
HEADERS = {"authorization": f"Bearer {os.environ['SERVERY_JUDGED_KEY']}"}
# A copy goes with each call: the client leaves the length of its last JSON in the dict that it is given.
METADATA = tuple(HEADERS.items())


@pytest.fixture
async def rest():
    made = InferenceRESTClient(RESTConfig(protocol="v2"))
    yield made
    await made.close()


@pytest.fixture
async def remote():
    async with InferenceGRPCClient(os.environ["SERVERY_JUDGED_GRPC"]) as made:
        yield made


def request(values, datatype, is_binary, **more):
    name = "text" if datatype == "BYTES" else "x"
    sent = InferInput(name, list(values.shape), datatype)
    sent.set_data_from_numpy(values, binary_data=is_binary)
    return InferRequest("reviews" if datatype == "BYTES" else "signals", [sent], **more)


CASES = [
    pytest.param(np.array([[0, 0, 1, 1]], "f4"), "FP32", b"right", id="FP32"),
    pytest.param(np.array([[1, 1, 0, 0]], "f8"), "FP64", b"left", id="FP64"),
    pytest.param(np.array([[1, 1, 0, 0]], "i4"), "INT32", b"left", id="INT32"),
    pytest.param(np.array([["great fun"]], object), "BYTES", b"positive", id="BYTES"),
]


@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize(("values", "datatype", "best"), CASES)
async def test_rest(rest, values, datatype, best, is_binary):
    asked = request(
        values, datatype, is_binary, request_id="mine", parameters={"binary_data_output": is_binary}
    )
    answer = await rest.infer(URL, asked, model_name=asked.model_name, headers=dict(HEADERS))
    assert answer.id == "mine"
    found = {output.name: output.as_numpy() for output in answer.outputs}
    assert found["scores"].shape == (1, 2)
    assert found["scores"].sum() == pytest.approx(1.0)
    assert [v if isinstance(v, bytes) else str(v).encode() for v in found["label"].tolist()] == [best]


@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize(("values", "datatype", "best"), CASES)
async def test_grpc(remote, values, datatype, best, is_binary):
    answer = await remote.infer(request(values, datatype, is_binary, request_id="mine"), headers=METADATA)
    assert answer.id == "mine"
    found = {output.name: output.as_numpy() for output in answer.outputs}
    assert found["scores"].sum() == pytest.approx(1.0)
    assert [v if isinstance(v, bytes) else str(v).encode() for v in found["label"].tolist()] == [best]


async def test_one_output_of_several(rest):
    asked = request(np.ones((1, 4), "f4"), "FP32", True, request_outputs=[RequestedOutput("label")])
    answer = await rest.infer(URL, asked, model_name="signals", headers=dict(HEADERS))
    assert [output.name for output in answer.outputs] == ["label"]


async def test_rest_health(rest):
    assert await rest.is_server_live(URL)
    assert await rest.is_server_ready(URL)
    assert await rest.is_model_ready(URL, "signals", headers=dict(HEADERS))


async def test_grpc_health(remote):
    assert await remote.is_server_live()
    assert await remote.is_server_ready()
    assert await remote.is_model_ready("signals", headers=METADATA)
    assert not await remote.is_model_ready("nobody", headers=METADATA)


async def test_errors(rest, remote):
    asked = request(np.ones((1, 5), "f4"), "FP32", True)
    with pytest.raises(httpx.HTTPStatusError) as refused:
        await rest.infer(URL, asked, model_name="signals", headers=dict(HEADERS))
    assert "shape" in refused.value.response.json()["error"]
    with pytest.raises(grpc.RpcError) as caught:
        await remote.infer(request(np.ones((1, 5), "f4"), "FP32", True), headers=METADATA)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "shape" in caught.value.details()
