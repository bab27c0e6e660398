"""What every recipe promises, for every task it takes."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.data.columns import Kind
from servery.errors import InputError
from servery.models.predictor import Predictor
from servery.models.recipe import Made, Recipe, all_recipes, find_recipe
from servery.models.runtimes.torch_network import TorchNetwork
from servery.optimize.export import TOLERANCE, export_to_onnx
from servery.tasks.label_task import LabelTask
from servery.tasks.task import find_task
from servery.tasks.written import texts_of

RECIPES = all_recipes()
CASES = [
    pytest.param(recipe, task, id=f"{recipe.form}-{recipe.name}-{task}")
    for recipe in RECIPES
    for task in sorted(recipe.tasks)
]
NETWORKS = [
    pytest.param(recipe, id=f"{recipe.form}-{recipe.name}")
    for recipe in RECIPES
    if "learning_rate" in recipe.defaults and recipe.name != "gradient-boosting"
    if "translation" not in recipe.tasks  # two exports each: tests/optimize/test_export_writing.py
    if "summarization" not in recipe.tasks  # trees, and a writer as above
    if not recipe.tasks & {"link-prediction", "recommendation"}  # served from numpy
    if "text-generation" not in recipe.tasks  # a state or keys and values are carried from token to token
    if recipe.name
    not in ("diffusion", "flow-matching")  # within a sampler: tests/models/runtimes/test_sampler.py
]
WRONG: dict[Kind, Any] = {
    Kind.TEXT: 7,
    Kind.IMAGE: b"no picture",
    Kind.AUDIO: b"no recording",
    Kind.NUMBER: "many",
    Kind.CATEGORY: 3,
    Kind.MARKED_TEXT: 7,
    Kind.SCENE: 7,
    Kind.SERIES: 7,
    Kind.TIME: 3,
    Kind.EVENTS: 7,
}


def weights_of(made: Made, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    made.predictor.runtime.save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_names_are_those_of_the_textbook() -> None:
    names = {form: {r.name for r in RECIPES if r.form == form} for form in ("text", "image", "table")}
    assert all(
        names[form] >= known
        for form, known in {
            "text": {"tfidf-linear", "mlp", "rnn", "lstm", "gru", "cnn", "transformer"},
            "image": {"mlp", "cnn"},
            "table": {"logistic", "mlp", "gradient-boosting"},
        }.items()
    )


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.form}-{r.name}")
def test_it_says_what_it_is_what_it_costs_and_what_to_try(
    recipe: Recipe, field_sample: Callable[..., Any]
) -> None:
    assert all(find_recipe(recipe.name, recipe.form, task) is recipe for task in recipe.tasks)
    assert recipe.title
    assert recipe.summary.endswith(".")
    assert any(character.isdigit() for character in recipe.summary), "the summary names no source"
    assert recipe.search_space.keys() <= recipe.defaults.keys()
    for name, values in recipe.search_space.items():
        assert [recipe.checked(name, value) for value in values] == list(values)
    rows = field_sample(recipe.form, min(recipe.tasks))
    few, many = (recipe.cost(rows.take(np.arange(n) % len(rows)), recipe.defaults, 1) for n in (300, 100_000))
    assert 0 < few.seconds < many.seconds
    assert 0 < few.memory_bytes < many.memory_bytes
    assert "rows" in few.reason or "texts" in few.reason


@pytest.mark.parametrize(("recipe", "task"), CASES)
def test_it_learns_two_dozen_rows_by_heart(
    recipe: Recipe,
    task: str,
    make_work: Callable[..., Any],
    field_sample: Callable[..., Any],
    tiny: Callable[..., Any],
    by_heart: dict[str, tuple[str, float]],
) -> None:
    rows = field_sample(recipe.form, task).take(np.arange(24))
    longer: dict[str, Any] = (
        {"epochs": 40, "batch_size": 8, "schedule": "constant"} if "epochs" in recipe.defaults else {}
    )
    longer |= tiny("LONGER", recipe)
    predictor = recipe.make(make_work(recipe, task, rows, rows, **longer)).predictor
    targets = predictor.task.encode_targets(rows, predictor.signature.labels)
    outputs = predictor.outputs(list(rows.examples()))
    metrics = predictor.task.measure(targets, outputs, predictor.task.calibrate(targets, outputs))
    metric, least = by_heart.get(f"{task}/{recipe.name}", by_heart[task])
    assert metrics[metric] >= least


@pytest.mark.parametrize(("recipe", "task"), CASES)
def test_the_same_seed_gives_the_same_bits(
    recipe: Recipe,
    task: str,
    make_work: Callable[..., Any],
    field_sample: Callable[..., Any],
    tiny: Callable[..., Any],
    tmp_path: Path,
) -> None:
    rows = field_sample(recipe.form, task).take(np.arange(64))
    short: dict[str, Any] = {"epochs": 2} if "epochs" in recipe.defaults else {}
    short |= tiny("SHORTER", recipe)
    first, second = (
        weights_of(recipe.make(make_work(recipe, task, rows, rows, **short)), tmp_path / name)
        for name in ("first", "second")
    )
    assert first == second


@pytest.mark.parametrize(("recipe", "task"), CASES)
def test_it_beats_the_answer_that_ignores_the_input(
    recipe: Recipe, task: str, trained: Callable[..., Made], field_sample: Callable[..., Any]
) -> None:
    predictor = trained(recipe, task).predictor
    rows = field_sample(recipe.form, task)
    train, validation, test = (rows.take(np.arange(*span)) for span in ((0, 200), (200, 260), (260, 320)))
    kind, labels = predictor.task, predictor.signature.labels
    calibration = kind.calibrate(
        kind.encode_targets(validation, labels), predictor.outputs(list(validation.examples()))
    )
    targets = kind.encode_targets(test, labels)
    ours = kind.measure(targets, predictor.outputs(list(test.examples())), calibration)
    guess = kind.trivial_outputs(kind.encode_targets(train, labels), len(labels), len(test))
    trivial = kind.measure(targets, guess, kind.calibrate(targets, guess))
    assert ours[kind.primary_metric] > trivial[kind.primary_metric]


@pytest.mark.parametrize(("recipe", "task"), CASES)
def test_it_answers_the_same_after_saving_and_loading(
    recipe: Recipe, task: str, trained: Callable[..., Made], field_sample: Callable[..., Any], tmp_path: Path
) -> None:
    predictor = trained(recipe, task).predictor
    loaded = Predictor.load(predictor.save(tmp_path))
    examples = list(field_sample(recipe.form, task).take(np.arange(300, 320)).examples())
    assert loaded.signature == predictor.signature
    assert all(map(np.array_equal, loaded.outputs(examples), predictor.outputs(examples)))
    asked = predictor.task.parameters
    wishes = {"seed": 1, "max_tokens": 16}
    seeded = asked(**{name: wish for name, wish in wishes.items() if name in asked.__struct_fields__})
    assert loaded.predict(examples, seeded) == predictor.predict(examples, seeded)


@pytest.mark.parametrize(("recipe", "task"), CASES)
def test_a_row_alone_gets_the_answer_it_gets_among_others(
    recipe: Recipe, task: str, trained: Callable[..., Made], field_sample: Callable[..., Any]
) -> None:
    predictor = trained(recipe, task).predictor
    rows = list(field_sample(recipe.form, task).take(np.arange(260, 300)).examples())
    examples = predictor.task.repeatable(rows)
    together = predictor.run(predictor.encode(examples))
    alone = [predictor.run(predictor.encode([example]))[0] for example in examples]
    assert len(together) == len(alone) == 40
    if together.dtype == object and isinstance(alone[0], str):
        assert texts_of(together) == texts_of(np.array(alone, object))
        return
    assert {row.dtype for row in together} == {np.dtype(np.float32)}
    if isinstance(predictor.task, LabelTask):
        assert together.shape == (40, len(predictor.signature.labels))
    # Rows that hold a line a word are padded among others; large logits are rounded more coarsely.
    for row, one in zip(together, alone, strict=True):
        assert np.abs(row[: len(one)] - one).max() <= 1e-5 * max(1.0, np.abs(one).max() / 10)


@pytest.mark.parametrize(("recipe", "task"), CASES)
def test_wrong_and_missing_values_are_told_apart(
    recipe: Recipe, task: str, trained: Callable[..., Made], field_sample: Callable[..., Any]
) -> None:
    predictor = trained(recipe, task).predictor
    example = field_sample(recipe.form, task).example(0)
    for column in predictor.signature.inputs:
        with pytest.raises(InputError) as caught:
            predictor.predict([{**example, column.name: WRONG[column.kind]}])
        assert caught.value.param == f"/{column.name}"
        if column.kind not in (Kind.IMAGE, Kind.AUDIO):
            assert len(predictor.predict([{**example, column.name: None}])) == 1


@pytest.mark.parametrize("recipe", NETWORKS)
def test_the_exported_network_agrees(
    recipe: Recipe, trained: Callable[..., Made], field_sample: Callable[..., Any], tmp_path: Path
) -> None:
    original = trained(recipe, min(recipe.tasks)).predictor
    assert isinstance(original.runtime, TorchNetwork)
    rows = field_sample(recipe.form, min(recipe.tasks)).take(np.arange(200, 320))
    exported = export_to_onnx(original, rows)
    assert exported.runtime.name == "onnx", exported.runtime_reason
    loaded = Predictor.load(exported.save(tmp_path))
    examples = list(rows.examples())
    for some in (examples, examples[:1], examples[:2], examples * 2):
        pairs = zip(loaded.outputs(some), original.outputs(some), strict=True)
        assert max(np.abs(ours - theirs).max() for ours, theirs in pairs) <= TOLERANCE


def test_every_task_of_a_recipe_exists() -> None:
    for name in set(itertools.chain.from_iterable(recipe.tasks for recipe in RECIPES)):
        assert find_task(name).name == name
