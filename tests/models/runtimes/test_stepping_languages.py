"""Language models in numpy: the same numbers as torch, chances that add up, texts that depend on nobody beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from servery.data.building import build_dataset
from servery.data.passages import PASSAGE, passages
from servery.errors import ArtifactError, TooLongError
from servery.models.families._language import learned_tokenizer, running_text, texts_of, weights_of
from servery.models.runtimes.ngram_language import NgramLanguage, count
from servery.models.runtimes.recurrent_language import RecurrentLanguage
from servery.models.stepping_language import CHUNK_TOKENS, SteppingLanguage
from servery.nn.network import build_network
from servery.tasks.generated_text import TextGenerationParameters

STORY = "The dog ran to the mill. 早上好。The cat sat by the old clock, and the dog came back.\n" * 30


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return learned_tokenizer([STORY], 300)


@pytest.fixture(scope="module")
def network(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    shape = {"embedding_size": 12, "hidden_size": 20, "num_layers": 2, "cell": "lstm", "dropout": 0.3}
    return build_network("recurrent_decoder", {"vocabulary_size": tokenizer.size, **shape}).eval()


@pytest.fixture(scope="module")
def lstm(network: Any, tokenizer: Any) -> RecurrentLanguage:
    return RecurrentLanguage(weights_of(network), tokenizer, [0])


@pytest.fixture(scope="module")
def ngram(tokenizer: Any) -> NgramLanguage:
    text = running_text([STORY], tokenizer)
    return NgramLanguage(count(text.tokens, 4, tokenizer.size), tokenizer, [0])


def test_the_logits_are_those_of_torch(lstm: RecurrentLanguage, network: Any, tokenizer: Any) -> None:
    tokens = np.array([tokenizer.numbers(STORY[:60])[:20], tokenizer.numbers(STORY[30:90])[:20]])
    with torch.inference_mode():
        expected = network(torch.from_numpy(tokens)).numpy()
    assert np.abs(lstm.logits(tokens) - expected).max() < 1e-5


@pytest.mark.parametrize("kind", ["lstm", "ngram"])
def test_a_text_read_in_pieces_is_the_text_read_at_once(
    kind: str, request: pytest.FixtureRequest, tokenizer: Any
) -> None:
    runtime: SteppingLanguage = request.getfixturevalue(kind)
    tokens = tokenizer.numbers(STORY[:80])
    state, logits = None, np.zeros(0)
    for start in range(0, len(tokens), 7):
        state, logits = runtime.read(state, tokens[start : start + 7])
    assert np.abs(logits - runtime.logits(np.array([tokens]))[0, -1]).max() < 1e-4


@pytest.mark.parametrize("kind", ["lstm", "ngram"])
def test_a_text_is_the_same_alone_and_among_others(
    kind: str, request: pytest.FixtureRequest, tokenizer: Any
) -> None:
    runtime: SteppingLanguage = request.getfixturevalue(kind)
    prompts = [STORY[:9], STORY[: 5 * CHUNK_TOKENS], "猫", STORY[40:700]]
    batches = [
        {"tokens": np.array([numbers]), "lengths": np.array([len(numbers)])}
        for numbers in map(tokenizer.numbers, prompts)
    ]
    asked = TextGenerationParameters(seed=3, max_tokens=12, logprobs=1)
    assert runtime.answers(batches, asked) == [runtime.answers([one], asked)[0] for one in batches]


def test_the_chances_of_what_may_follow_add_up_to_one(ngram: NgramLanguage, tokenizer: Any) -> None:
    for text in ("The dog", "zzz qqq", "早", "T"):
        _, logs = ngram.read(None, tokenizer.numbers(text))
        assert np.exp(logs).sum() == pytest.approx(1.0, abs=1e-4)
        assert np.isfinite(logs).all()


def test_a_pair_model_is_the_one_worked_by_hand(tokenizer: Any) -> None:
    # Of "abab a": after a come b, b and the end of what was counted; Witten and Bell mix with how frequent tokens are.
    a, b, size = 5, 6, tokenizer.size
    model = NgramLanguage(count(np.array([a, b, a, b, a]), 2, size), tokenizer, [0])
    unigram = (2 + 2 * (1 / size)) / (5 + 2)
    expected = (2 + 1 * unigram) / (2 + 1)
    assert model.chances(np.array([[a]]), np.array([b]))[0] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["lstm", "ngram"])
def test_it_is_read_again_and_a_torn_one_is_refused(
    kind: str, request: pytest.FixtureRequest, tokenizer: Any, tmp_path: Path
) -> None:
    runtime: SteppingLanguage = request.getfixturevalue(kind)
    runtime.save(tmp_path)
    tokenizer.save(tmp_path)
    again = type(runtime).load(tmp_path, runtime.options(), 1)
    tokens = np.array([tokenizer.numbers("The dog ran")])
    assert np.array_equal(again.logits(tokens), runtime.logits(tokens))  # type: ignore[attr-defined]
    next(tmp_path.glob("*.safetensors")).write_bytes(b"torn")
    with pytest.raises(ArtifactError, match="cannot be read"):
        type(runtime).load(tmp_path, runtime.options(), 1)


def test_more_than_the_context_is_refused(lstm: RecurrentLanguage) -> None:
    batch = {"tokens": np.zeros((1, 4000), np.int64), "lengths": np.array([4000])}
    with pytest.raises(TooLongError, match="4,096"):
        lstm.begin(batch, TextGenerationParameters(max_tokens=200))


def test_passages_that_follow_each_other_are_one_text_and_gaps_are_none() -> None:
    raw = passages([STORY, STORY[::-1]])
    dataset = build_dataset(raw, "x", target=PASSAGE, kinds={"text": "text", "place": "number"})
    assert texts_of(dataset) == [STORY, STORY[::-1]]
    some = dataset.take(np.array([0, 1, 3, 4]))
    assert texts_of(some) == [STORY[:512], STORY[768:1280]]
