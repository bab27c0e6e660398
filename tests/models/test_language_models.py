"""Language models in the Hugging Face layout, against transformers: the same logits, the same texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from servery.errors import ArtifactError, InputError, NonFiniteError, TooLongError
from servery.models.encoder import Batch
from servery.models.encoders.language import MESSAGES, TOKENS
from servery.models.language_model import read_language_model
from servery.models.predictor import Predictor
from servery.models.runtimes.causal_language import CHUNK_TOKENS, CausalLanguage
from servery.tasks.generated_text import TextGenerationAnswer, TextGenerationParameters

GREEDY = TextGenerationParameters(temperature=0, max_tokens=40)
PROMPTS = ["Once upon a time", "早上好", "dog", "¿Dónde está la biblioteca? " * 12]
COMMON = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "eos_token_id": 1,
    "bos_token_id": 0,
    "initializer_range": 0.3,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 5000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "tied": (LlamaConfig, LlamaForCausalLM, {"tie_word_embeddings": True, "head_dim": 12}),
    "bias": (LlamaConfig, LlamaForCausalLM, {"attention_bias": True, "num_key_value_heads": 6}),
    "llama3": (LlamaConfig, LlamaForCausalLM, {"rope_parameters": LLAMA3}),
    "linear": (
        LlamaConfig,
        LlamaForCausalLM,
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}},
    ),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": None}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": True}),
}


def last_logits(predictor: Predictor, batch: Batch) -> np.ndarray:
    """The logits of what follows a lone text."""
    assert isinstance(predictor.runtime, CausalLanguage)
    return predictor.runtime.logits(batch["tokens"])[0, -1]


@pytest.fixture(scope="module")
def tokenizer_files(scribes: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    scribes.scribes_tokenizer().save(folder)
    return folder


@pytest.fixture(scope="module", params=sorted(KINDS))
def checkpoint(
    request: pytest.FixtureRequest, tokenizer_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder that transformers wrote."""
    config, model, more = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    for file in tokenizer_files.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    torch.manual_seed(0)
    size = len(json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"])
    model(config(vocab_size=size, **{**COMMON, **more})).save_pretrained(folder)
    return folder


def test_logits_are_those_of_transformers_within_a_ten_thousandth(checkpoint: Path) -> None:
    ours = read_language_model(checkpoint)
    theirs = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    for prompt in PROMPTS:
        batch = ours.encode([{"text": prompt}])
        with torch.inference_mode():
            expected = theirs(torch.from_numpy(batch["tokens"])).logits[0, -1].numpy()
        assert np.abs(last_logits(ours, batch) - expected).max() < 1e-4


def test_greedy_texts_are_those_of_transformers(checkpoint: Path) -> None:
    ours = read_language_model(checkpoint)
    theirs = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    answers = ours.predict([{"text": prompt} for prompt in PROMPTS], GREEDY)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        asked = tokenizer(prompt, return_tensors="pt")
        made = theirs.generate(**asked, max_new_tokens=40, do_sample=False)[0, asked["input_ids"].shape[1] :]
        assert isinstance(answer, TextGenerationAnswer)
        assert answer.text == tokenizer.decode(made, skip_special_tokens=True)
        assert answer.completion_tokens == len(made)
        assert answer.prompt_tokens == asked["input_ids"].shape[1]


def test_a_saved_model_answers_the_same_and_transformers_can_read_it(
    checkpoint: Path, tmp_path: Path
) -> None:
    ours = read_language_model(checkpoint)
    ours.save(tmp_path)
    again = Predictor.load(tmp_path)
    batch = ours.encode([{"text": PROMPTS[0]}])
    assert np.array_equal(last_logits(again, batch), last_logits(ours, batch))
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(batch["tokens"])).logits[0, -1].numpy()
    assert np.abs(last_logits(ours, batch) - expected).max() < 1e-4


def test_a_conversation_is_written_as_transformers_writes_it(scribe: Predictor, tmp_path: Path) -> None:
    scribe.save(tmp_path)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "你好 </s> there"},
    ]
    theirs = AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(
        messages, add_generation_prompt=True, return_dict=False
    )
    assert scribe.encode([{MESSAGES: messages}])["tokens"][0].tolist() == list(theirs)


def test_weights_in_shards_are_read(checkpoint: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(checkpoint).save_pretrained(tmp_path, max_shard_size="40KB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    ours, whole = read_language_model(tmp_path), read_language_model(checkpoint)
    batch = ours.encode([{"text": "dog"}])
    assert np.array_equal(last_logits(ours, batch), last_logits(whole, batch))


def test_a_long_prompt_is_read_in_chunks_and_goes_on_as_if_read_at_once(scribe: Predictor) -> None:
    prompt = {TOKENS: [(7 * place) % 300 for place in range(CHUNK_TOKENS + 90)]}
    answer = scribe.predict([prompt], TextGenerationParameters(temperature=0, max_tokens=1, logprobs=0))[0]
    assert isinstance(answer, TextGenerationAnswer)
    logits = last_logits(scribe, scribe.encode([prompt]))
    assert answer.tokens[0].id == int(logits.argmax())


def test_thirty_two_texts_are_bit_equal_to_their_lone_runs(scribe: Predictor) -> None:
    prompts = [{"text": f"{place} " + "Once upon a time " * (place % 9)} for place in range(32)]
    parameters = TextGenerationParameters(temperature=0, max_tokens=70, logprobs=2)
    together = scribe.predict(prompts, parameters)
    for place in range(0, 32, 5):
        alone = scribe.predict([prompts[place]], parameters)[0]
        assert isinstance(alone, TextGenerationAnswer)
        other = together[place]
        assert isinstance(other, TextGenerationAnswer)
        assert (alone.text, alone.tokens) == (other.text, other.tokens)


def test_the_same_seed_gives_the_same_text_whatever_is_drawn_beside_it(scribe: Predictor) -> None:
    prompts = [{"text": f"{place} dogs"} for place in range(8)]
    drawn = TextGenerationParameters(seed=11, max_tokens=60, top_p=0.95)
    together = scribe.predict(prompts, drawn)
    assert [scribe.predict([prompt], drawn)[0] for prompt in prompts] == together
    other = scribe.predict(prompts[:1], TextGenerationParameters(seed=12, max_tokens=60, top_p=0.95))
    assert other != together[:1]


def test_an_answer_tells_the_seed_that_repeats_it(scribe: Predictor) -> None:
    first = scribe.predict([{"text": "Once"}], TextGenerationParameters(max_tokens=30))[0]
    assert isinstance(first, TextGenerationAnswer)
    again = scribe.predict([{"text": "Once"}], TextGenerationParameters(max_tokens=30, seed=first.seed))[0]
    assert again == first


def test_the_models_own_end_ends_the_text_and_is_counted(scribe: Predictor) -> None:
    biased = TextGenerationParameters(temperature=0, logit_bias={"1": 100.0}, logprobs=0)
    answer = scribe.predict([{"text": "Once"}], biased)[0]
    assert isinstance(answer, TextGenerationAnswer)
    assert (answer.text, answer.finish_reason, answer.completion_tokens) == ("", "end", 1)
    assert answer.tokens[0].is_special


def test_a_stop_text_ends_the_answer_before_it(scribe: Predictor) -> None:
    whole = scribe.predict([{"text": "Once"}], GREEDY)[0]
    assert isinstance(whole, TextGenerationAnswer)
    stop = whole.text[5:8]
    cut = scribe.predict(
        [{"text": "Once"}], TextGenerationParameters(temperature=0, max_tokens=40, stop=stop)
    )[0]
    assert isinstance(cut, TextGenerationAnswer)
    assert (cut.text, cut.finish_reason) == (whole.text[: whole.text.index(stop)], "stop")
    assert cut.completion_tokens < whole.completion_tokens


def test_a_prompt_that_leaves_no_room_is_refused_with_the_limit(scribe: Predictor) -> None:
    with pytest.raises(TooLongError, match="512"):
        scribe.predict([{"text": "Once upon a time " * 200}])
    with pytest.raises(TooLongError, match="512"):
        scribe.predict([{"text": "Once"}], TextGenerationParameters(max_tokens=511))
    long = scribe.predict([{TOKENS: [5] * 500}], TextGenerationParameters(temperature=0))[0]
    assert isinstance(long, TextGenerationAnswer)
    assert (long.completion_tokens, long.finish_reason) == (12, "length")


@pytest.mark.parametrize("tokens", [[], [5, 10_000], [-1]])
def test_tokens_that_the_model_does_not_have_are_refused(scribe: Predictor, tokens: list[int]) -> None:
    with pytest.raises(InputError):
        scribe.encode([{TOKENS: tokens}])


def test_an_empty_text_begins_at_the_models_own_start(scribe: Predictor) -> None:
    assert scribe.encode([{"text": ""}])["tokens"].tolist() == [[0]]


def test_logits_that_are_no_numbers_are_never_an_answer(scribes: Any) -> None:
    broken = scribes.scribe()
    assert isinstance(broken.runtime, CausalLanguage)
    with torch.no_grad():
        broken.runtime.network.model.norm.weight.fill_(torch.nan)
    with pytest.raises(NonFiniteError):
        broken.predict([{"text": "Once"}])
    assert broken.runtime.pages_in_use == 0


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.json", {"model_type": "gpt2"}),
        ("config.json", {"hidden_act": "gelu"}),
        ("config.json", {"num_hidden_layers": 10**12}),
        ("config.json", {"num_hidden_layers": "2"}),
        ("config.json", {"hidden_size": 32}),
        ("config.json", {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}),
        ("config.json", {"sliding_window": 8}),
        ("config.json", {"eos_token_id": "</s>"}),
        ("config.json", None),
        ("tokenizer.json", None),
        ("model.safetensors", None),
    ],
)
def test_a_folder_that_holds_something_else_is_refused(
    scribe: Predictor, tmp_path: Path, name: str, change: dict[str, Any] | None
) -> None:
    scribe.save(tmp_path)
    file = tmp_path / name
    if change is None:
        file.write_bytes(file.read_bytes()[:100])
    else:
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ArtifactError):
        read_language_model(tmp_path)


def test_an_index_that_points_out_of_the_folder_is_refused(scribe: Predictor, tmp_path: Path) -> None:
    scribe.save(tmp_path)
    index = {"weight_map": {"lm_head.weight": "../model.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ArtifactError, match="no file of this folder"):
        read_language_model(tmp_path)
