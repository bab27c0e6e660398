"""Networks that write, exported: the same texts, saved and read again, without torch."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from servery.errors import ArtifactError
from servery.fields._field import find_field
from servery.models.predictor import Predictor
from servery.models.runtime import find_runtime
from servery.optimize.export import export_to_onnx
from servery.tasks.summarization import SummarizationParameters, SummaryAnswer
from servery.tasks.translation import TranslationAnswer, TranslationParameters
from servery.tasks.written import texts_of

WITHOUT_TORCH = """
import sys
from pathlib import Path
sys.modules["torch"] = None
from servery.models.predictor import Predictor
predictor = Predictor.load(Path(sys.argv[1]))
print(predictor.runtime.name, predictor.predict([{"en": "Tom ate an apple at home."}])[0].text)
"""


@pytest.mark.parametrize("network", ["recurrent_translator", "transformer_translator"])
def test_it_writes_the_same_texts_in_onnx(
    network: str, interpreter: Callable[..., Predictor], tmp_path: Path
) -> None:
    original = interpreter(network)
    sample = find_field("machine-translation").offers[0].sample(40, 1)
    exported = export_to_onnx(original, sample)
    assert exported.runtime.name == "onnx_translator", exported.runtime_reason
    rows = list(sample.examples())
    loaded = Predictor.load(exported.save(tmp_path))
    for some in (rows, rows[:1], [{"en": ""}, *rows[:3]]):
        expected = texts_of(original.outputs(some))
        same = np.mean([a == b for a, b in zip(texts_of(loaded.outputs(some)), expected, strict=True)])
        assert same >= 0.97
    asked = TranslationParameters(beam_size=3, attention=True)
    ours, theirs = (model.predict(rows[:1], asked)[0] for model in (loaded, original))
    assert isinstance(ours, TranslationAnswer)
    assert isinstance(theirs, TranslationAnswer)
    assert ours.attention
    assert theirs.attention
    assert np.allclose(ours.attention[0].weights, theirs.attention[0].weights, atol=2e-3)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("onnx_translator ")


def test_a_network_that_copies_writes_the_same_summaries_in_onnx(
    summarizers: ModuleType, tmp_path: Path
) -> None:
    original, reports = summarizers.reporter(), summarizers.reports(20)
    exported = export_to_onnx(original, reports)
    assert exported.runtime.name == "onnx_translator", exported.runtime_reason
    loaded = Predictor.load(exported.save(tmp_path))
    rows = [*reports.examples(), {"text": ""}]
    assert texts_of(loaded.outputs(rows)) == texts_of(original.outputs(rows))
    asked = SummarizationParameters(max_length=3)
    long, (short,) = loaded.predict([{"text": rows[0]["text"] * 4}])[0], loaded.predict(rows[:1], asked)
    assert isinstance(long, SummaryAnswer)
    assert isinstance(short, SummaryAnswer)
    assert "beginning_only" in long.warnings
    assert 0 < len(short.text) < len(long.text)


@pytest.mark.parametrize("name", ["onnx_translator", "torch_translator"])
def test_missing_and_torn_files_are_refused(
    name: str, interpreter: Callable[..., Predictor], tmp_path: Path
) -> None:
    runtime = interpreter().runtime
    options = runtime.options()
    with pytest.raises(ArtifactError):
        find_runtime(name).load(tmp_path, options, 1)
    runtime.save(tmp_path)
    for file in ("begin.onnx", "step.onnx", "pieces.json"):
        (tmp_path / file).write_bytes(b"\x80\x04torn")
    with pytest.raises(ArtifactError):
        find_runtime(name).load(tmp_path, options, 1)


def test_another_network_is_no_writer(interpreter: Callable[..., Predictor], tmp_path: Path) -> None:
    runtime = interpreter().runtime
    runtime.save(tmp_path)
    for changed in ({"network": "text_cnn"}, {"network": "none"}, {"arguments": {}}, {"max_tokens": "many"}):
        with pytest.raises(ArtifactError):
            find_runtime("torch_translator").load(tmp_path, {**runtime.options(), **changed}, 1)


def test_a_model_that_would_write_otherwise_stays_in_torch(
    interpreter: Callable[..., Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = interpreter()
    other = replace(original, runtime=interpreter(seed=1).runtime)
    monkeypatch.setattr("servery.optimize.export._exported", lambda *_: other.runtime)
    sample = find_field("machine-translation").offers[0].sample(20, 1)
    kept = export_to_onnx(original, sample)
    assert kept.runtime is original.runtime
    assert "of 20 held-out texts as torch did" in kept.runtime_reason
