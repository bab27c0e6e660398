"""The KServe SDK in its first protocol."""

import os

import httpx
import pytest
from kserve.inference_client import InferenceRESTClient, RESTConfig

URL = os.environ["SERVERY_JUDGED_URL"]
HEADERS = {"authorization": f"Bearer {os.environ['SERVERY_JUDGED_KEY']}"}


@pytest.fixture
async def client():
    made = InferenceRESTClient(RESTConfig(protocol="v1"))
    yield made
    await made.close()


async def test_a_model_is_ready_predicts_and_explains(client):
    assert await client.is_model_ready(URL, "reviews", headers=HEADERS) is True
    answer = await client.infer(
        URL, {"instances": ["great fun", "rude"]}, model_name="reviews", headers=HEADERS
    )
    assert [prediction["label"] for prediction in answer["predictions"]] == ["positive", "negative"]
    answer = await client.explain(URL, "reviews", {"instances": ["great fun"]}, headers=HEADERS)
    assert len(answer["explanations"][0]["effects"]) == 2


async def test_an_error_is_raised_with_its_sentence(client):
    with pytest.raises(httpx.HTTPStatusError) as caught:
        await client.infer(URL, {"instances": [1]}, model_name="reviews", headers=HEADERS)
    assert caught.value.response.status_code == 422
    assert "Expected" in caught.value.response.json()["error"]
