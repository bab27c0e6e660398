"""Drawn pictures before their judge: what a copier, a stranger and the real ones come to, and what the report shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from servery.data.dataset import Dataset
from servery.data.pixels import pixels_of
from servery.evaluation.evaluate import evaluate
from servery.evaluation.evaluation import Evaluation
from servery.evaluation.referee import judge_of
from servery.evaluation.referees import pictures
from servery.evaluation.referees.pictures import PictureJudge
from servery.evaluation.report import render
from servery.fields.offers.image_generation_categories import sample
from servery.models.encoders.prompts import Prompts
from servery.models.predictor import Predictor
from servery.models.runtimes.sampler import Sampler
from servery.models.runtimes.torch_network import TorchNetwork
from servery.models.signature import Signature
from servery.nn.network import build_network
from servery.tasks.classification import CLASSIFICATION
from servery.tasks.image_generation import IMAGE_GENERATION
from servery.tasks.task import Calibration

NONE = Calibration()


@pytest.fixture(scope="module")
def parts() -> tuple[Dataset, Dataset]:
    rows = sample(300, 0)
    return rows.take(np.arange(240)), rows.take(np.arange(240, 300))


@pytest.fixture(scope="module")
def judge(parts: tuple[Dataset, Dataset]) -> PictureJudge:
    made = judge_of(IMAGE_GENERATION, parts[0])
    assert isinstance(made, PictureJudge)
    return made


@pytest.fixture(scope="module")
def targets(parts: tuple[Dataset, Dataset]) -> np.ndarray:
    return IMAGE_GENERATION.encode_targets(parts[1], ())


def drawings(targets: np.ndarray) -> np.ndarray:
    return np.stack([pixels_of(drawing.picture, (4, 16, 16)) for drawing in targets]) / 255.0


def test_other_tasks_judge_for_themselves(parts: tuple[Dataset, Dataset]) -> None:
    assert judge_of(CLASSIFICATION, parts[0]) is CLASSIFICATION


def test_real_pictures_are_recognised_and_as_near_as_real_ones_are(
    judge: PictureJudge, targets: np.ndarray
) -> None:
    found = judge.judge(targets, drawings(targets), NONE).measure(np.arange(60))
    assert found["recognised_share"] > 0.8
    assert found["frechet_distance"] == pytest.approx(0, abs=1e-4)
    order = np.concatenate([np.arange(30, 60), np.arange(30)])
    swapped = judge.judge(targets, drawings(targets[order]), NONE).measure(np.arange(60))
    assert swapped["recognised_share"] < 0.4


def test_a_perfect_copier_stands_at_one_and_is_found_out(judge: PictureJudge, targets: np.ndarray) -> None:
    rows = judge.real_rows(judge.asked(targets))[0]
    found = judge.judge(targets, judge.real[rows] / 255.0, NONE).measure(np.arange(60))
    assert found["frechet_multiple"] == pytest.approx(1.0, rel=0.5)
    assert found["copy_share"] == 1.0
    assert found["recognised_share"] > 0.8


def test_noise_is_far_away(judge: PictureJudge, targets: np.ndarray) -> None:
    noise = np.random.default_rng(0).random((60, 4, 16, 16))
    found = judge.judge(targets, noise, NONE).measure(np.arange(60))
    assert found["frechet_multiple"] > 5
    assert found["copy_share"] == 0


def test_a_resample_gets_no_distance_and_single_rows_are_measured(
    judge: PictureJudge, targets: np.ndarray
) -> None:
    judgement = judge.judge(targets, drawings(targets), NONE)
    assert judgement.measure(np.array([0, 1, 1, 2])).keys() == {"recognised_share", "copy_share"}
    assert judgement.primary(np.array([3])) in (0.0, 1.0)
    quality = judge.quality(targets, drawings(targets), NONE)
    assert quality.mean() == pytest.approx(judgement.primary(np.arange(60)))


def test_equal_rows_make_an_equal_judge(
    judge: PictureJudge, parts: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "STEPS", 20)
    one, again = (judge_of(IMAGE_GENERATION, parts[0]) for _ in range(2))
    other = judge_of(IMAGE_GENERATION, parts[0].take(np.arange(200)))
    assert isinstance(one, PictureJudge)
    assert isinstance(again, PictureJudge)
    assert isinstance(other, PictureJudge)
    assert one.fingerprint == again.fingerprint
    assert len({one.fingerprint, other.fingerprint, judge.fingerprint}) == 3


def test_a_prompt_that_was_never_learned_counts_as_not_recognised(
    judge: PictureJudge, targets: np.ndarray
) -> None:
    strange = np.array([replace(drawing, prompt="new") for drawing in targets], object)
    found = judge.judge(strange, drawings(targets), NONE).measure(np.arange(60))
    assert found["recognised_share"] == 0
    assert np.isfinite(found["frechet_multiple"])


def test_pictures_of_another_size_are_judged_at_the_judge_s_own(
    judge: PictureJudge, targets: np.ndarray
) -> None:
    large = drawings(targets).repeat(2, axis=2).repeat(2, axis=3)
    assert np.array_equal(judge.seen(large), judge.held(targets))


def test_one_category_can_be_judged_too(
    parts: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "STEPS", 5)
    is_red = parts[0]["prompt"] == "red circle"
    rows = parts[0].take(np.flatnonzero(is_red))
    judge = judge_of(IMAGE_GENERATION, rows)
    targets = IMAGE_GENERATION.encode_targets(rows, ())
    found = judge.judge(targets, drawings(targets), NONE).measure(np.arange(len(targets)))
    assert found["recognised_share"] == 1
    assert found["frechet_distance"] == pytest.approx(0, abs=1e-4)


@pytest.fixture(scope="module")
def evaluated(parts: tuple[Dataset, Dataset]) -> Evaluation:
    things = IMAGE_GENERATION.labels_of(parts[0])
    arguments = {
        "channels": 4,
        "categories": len(things),
        "patch": 4,
        "widths": [8],
        "depth": 1,
        "heads": 1,
        "dropout": 0.0,
    }
    network = TorchNetwork(build_network("denoising_unet", arguments))
    predictor = Predictor(
        Signature("image-generation", "image-generation", parts[0].inputs, things, "image"),
        Prompts("prompt", things, (4, 16, 16), 16, 16, draws_in_steps=True),
        Sampler(network, "straight", len(things), steps=2, guidance=1.0),
        NONE,
        recipe="untrained",
    )
    return evaluate(predictor, parts[1], parts[0])


def test_an_untrained_model_is_not_useful(evaluated: Evaluation) -> None:
    assert evaluated.primary_metric == "recognised_share"
    assert evaluated.primary.value < 0.4
    multiple = next(metric for metric in evaluated.metrics if metric.name == "frechet_multiple")
    assert multiple.value > 3
    assert (multiple.low, multiple.high) == (None, None)


def test_the_report_shows_samples_copies_steps_and_guidance(evaluated: Evaluation) -> None:
    again = Evaluation.from_dict(evaluated.to_dict())
    page = render(again, {"name": "emblems"})
    for words in (
        "Drawn beside real pictures",
        "Is it copied?",
        "From noise to picture",
        "How much guidance",
        "Fréchet multiple",
    ):
        assert words in page
    assert page.count("data:image/png;base64,") == 3
    view = again.views["drawn_pictures"]
    assert len(view["categories"]) == 9
    assert sum(category["rows"] for category in view["categories"]) == 60
    assert view["real_recognised"] > 0.8
    assert len(view["referee"]) == 64
