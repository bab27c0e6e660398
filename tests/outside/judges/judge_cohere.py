"""Cohere's client, both of its generations, sync and async, asks for reranking."""

import os

import cohere
import pytest
from cohere.core.api_error import ApiError

URL, KEY = os.environ["SERVERY_JUDGED_URL"], os.environ["SERVERY_JUDGED_KEY"]
DOCUMENTS = ["rain and wind", "a cat sleeps", "soup and bread"]


@pytest.fixture(params=[cohere.Client, cohere.ClientV2])
def client(request):
    return request.param(api_key=KEY, base_url=URL)


@pytest.mark.parametrize(("model", "query"), [("meaning", "pets"), ("judge", "cat")])
def test_documents_are_ordered(client, model, query):
    told = client.rerank(model=model, query=query, documents=DOCUMENTS)
    assert told.results[0].index == 1
    scores = [result.relevance_score for result in told.results]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == len(DOCUMENTS)
    assert told.id
    assert told.meta.billed_units.input_tokens > 0
    assert told.meta.api_version.version == "2"


def test_only_the_best_are_told(client):
    assert len(client.rerank(model="meaning", query="pets", documents=DOCUMENTS, top_n=2).results) == 2


def test_documents_come_back_when_the_first_generation_asks():
    client = cohere.Client(api_key=KEY, base_url=URL)
    told = client.rerank(
        model="meaning", query="pets", documents=[{"text": d} for d in DOCUMENTS], return_documents=True
    )
    assert told.results[0].document.text == "a cat sleeps"


async def test_the_async_client_asks_too():
    client = cohere.AsyncClientV2(api_key=KEY, base_url=URL)
    told = await client.rerank(model="meaning", query="pets", documents=DOCUMENTS, top_n=1)
    assert told.results[0].index == 1


@pytest.mark.parametrize(
    ("model", "key", "status"), [("nobody", KEY, 404), ("tones", KEY, 400), ("meaning", "wrong", 401)]
)
def test_errors_come_with_their_status_and_words(model, key, status):
    with pytest.raises(ApiError) as told:
        cohere.ClientV2(api_key=key, base_url=URL).rerank(model=model, query="pets", documents=DOCUMENTS)
    assert told.value.status_code == status
    assert told.value.body["error"]["message"]
