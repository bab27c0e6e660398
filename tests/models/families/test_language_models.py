"""Language models trained here: read by transformers with the same logits, torch-free where they can be, honest."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from servery.errors import InputError, TooLongError
from servery.models.families.language_models import LSTM, NGRAM, TRANSFORMER
from servery.models.recipe import Made
from servery.models.runtimes.causal_language import CausalLanguage
from servery.tasks.generated_text import TextGenerationAnswer, TextGenerationParameters

TASK = "text-generation"
PROMPT = "In the morning Ada went to "


def test_transformers_reads_a_trained_transformer_with_the_same_logits(
    trained: Callable[..., Made], tmp_path: Path
) -> None:
    predictor = trained(TRANSFORMER, TASK).predictor
    predictor.save(tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert type(theirs).__name__ == "LlamaForCausalLM"
    for text in (PROMPT, "早上好 \U0001f600 \u202b", "x"):
        batch = predictor.encode([{"text": text}])
        assert tokenizer(text)["input_ids"] == batch["tokens"][0].tolist()
        with torch.inference_mode():
            expected = theirs(torch.from_numpy(batch["tokens"])).logits.numpy()
        assert isinstance(predictor.runtime, CausalLanguage)
        assert np.abs(predictor.runtime.logits(batch["tokens"]) - expected).max() < 1e-4
    asked = tokenizer(PROMPT, return_tensors="pt")
    made = theirs.generate(**asked, max_new_tokens=12, do_sample=False)[0, asked["input_ids"].shape[1] :]
    answer = predictor.predict([{"text": PROMPT}], TextGenerationParameters(temperature=0, max_tokens=12))[0]
    assert isinstance(answer, TextGenerationAnswer)
    assert answer.text == tokenizer.decode(made, skip_special_tokens=True)


@pytest.mark.parametrize("recipe", [NGRAM, LSTM], ids=lambda recipe: recipe.name)
def test_n_grams_and_lstm_write_without_torch(
    recipe: Any, trained: Callable[..., Made], tmp_path: Path
) -> None:
    trained(recipe, TASK).predictor.save(tmp_path)
    program = (
        "import sys; from pathlib import Path\n"
        "from servery.models.predictor import Predictor\n"
        "from servery.tasks.generated_text import TextGenerationParameters as Asked\n"
        f"made = Predictor.load(Path(sys.argv[1])).predict([{{'text': {PROMPT!r}}}], Asked(max_tokens=5, seed=1))\n"
        "print(made[0].completion_tokens, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["5", "False"]


@pytest.mark.parametrize("recipe", [NGRAM, LSTM, TRANSFORMER], ids=lambda recipe: recipe.name)
def test_odd_prompts_get_an_answer_and_too_long_ones_a_reason(
    recipe: Any, trained: Callable[..., Made]
) -> None:
    predictor = trained(recipe, TASK).predictor
    asked = TextGenerationParameters(max_tokens=6, seed=1)
    odd = ["", "\u202bשלום", "\U0001f600\U0001f600", "中文 and English", "\n\n\n", "\x00\x07"]
    answers = predictor.predict([{"text": text} for text in odd], asked)
    assert all(
        isinstance(answer, TextGenerationAnswer) and 1 <= answer.completion_tokens <= 6 for answer in answers
    )
    with pytest.raises(TooLongError, match="maximum context length"):
        predictor.predict([{"text": "word " * 200_000}], asked)
    with pytest.raises(InputError, match="expected a text"):
        predictor.predict([{"text": 7}], asked)


def test_what_a_model_says_of_a_text_is_what_it_says_token_by_token(trained: Callable[..., Made]) -> None:
    for recipe in (NGRAM, LSTM, TRANSFORMER):
        predictor = trained(recipe, TASK).predictor
        [scores] = predictor.outputs([{"text": PROMPT}])
        tokens = predictor.encode([{"text": PROMPT}])["tokens"][0].tolist()
        parameters = TextGenerationParameters(temperature=0, max_tokens=1, logprobs=20)
        for place in (3, len(tokens) - 1):
            text = predictor.encoder.tokenizer.text(tokens[:place])  # type: ignore[attr-defined]
            answer = predictor.predict([{"text": text}], parameters)[0]
            assert isinstance(answer, TextGenerationAnswer)
            told = {one.id: one.logprob for one in answer.tokens[0].alternatives}
            if tokens[place] in told:
                assert scores[place, 0] == pytest.approx(told[tokens[place]], abs=1e-3)
