"""Pictures drawn in steps: alone or among others, from torch or ONNX, whole or step by step."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.data.dataset import Dataset
from servery.errors import ArtifactError, NonFiniteError
from servery.models.noise_paths import PATHS
from servery.models.predictor import Predictor
from servery.models.recipe import Made, find_recipe
from servery.models.runtime import Runtime
from servery.models.runtimes.sampler import Sampler
from servery.optimize.export import TOLERANCE, export_to_onnx
from servery.tasks.image_generation import ImageParameters


@pytest.fixture(scope="module")
def flags() -> Predictor:
    path = Path(__file__).parents[2] / "gateway" / "rooms" / "drawn_models.py"
    spec = importlib.util.spec_from_file_location("servery_test_drawn_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Predictor = module.flags()
    return made


@pytest.fixture(scope="module", params=["diffusion", "flow-matching"])
def learned(request: Any, trained: Callable[..., Made]) -> Predictor:
    return trained(find_recipe(request.param, "text", "image-generation"), "image-generation").predictor


@pytest.mark.parametrize("path", PATHS.values(), ids=lambda path: path.name)
def test_a_network_that_knows_the_picture_leads_there_in_any_number_of_steps(path: Any) -> None:
    chance = np.random.default_rng(0)
    picture = chance.uniform(-1, 1, (3, 2, 4, 4)).astype(np.float32)
    noise = chance.standard_normal(picture.shape, dtype=np.float32)
    for steps in (1, 2, 7):
        seen = noise
        for step in range(steps):
            now, later = (np.full((3, 1, 1, 1), (step + k) / steps, np.float32) for k in (0, 1))
            assert path.mixed(picture, noise, now) == pytest.approx(seen, abs=1e-3)
            told = path.picture(seen, path.goal(picture, noise, now), now)
            assert told == pytest.approx(picture, abs=1e-3)
            seen = path.stepped(seen, told, now, later)
        assert seen == pytest.approx(picture, abs=1e-3)


@pytest.mark.parametrize("path", PATHS.values(), ids=lambda path: path.name)
def test_times_to_learn_at_lie_between_noise_and_picture(path: Any) -> None:
    times = path.times(np.random.default_rng(0), 1000)
    assert times.dtype == np.float32
    assert 0 <= times.min() < 0.1 < 0.9 < times.max() <= 1


def test_the_same_seed_draws_the_same_png_alone_or_among_others(learned: Predictor) -> None:
    prompts = [{"prompt": prompt} for prompt in learned.signature.labels]
    parameters = ImageParameters(seed=11, n=2)
    together = learned.predict(prompts, parameters)
    alone = [answer for prompt in prompts for answer in learned.predict([prompt], parameters)]
    assert together == alone
    assert len({answer.image for answer in together}) == len(together)  # type: ignore[attr-defined]


def test_pictures_at_different_steps_grow_side_by_side_as_they_would_alone(flags: Predictor) -> None:
    runtime = flags.runtime
    assert isinstance(runtime, Sampler)

    def begun(seed: int, steps: int, guidance: float) -> Any:
        asked = ImageParameters(steps=steps, guidance_scale=guidance, previews=1)
        return runtime.begin(flags.encode([{"prompt": "sea", "seed": seed}]), asked)

    wishes = [(1, 4, 1.0), (2, 7, 3.0), (3, 1, 1.5)]
    growing = [begun(*wishes[0])]
    runtime.step(growing)
    growing += [begun(*wish) for wish in wishes[1:]]
    while moving := [growth for growth in growing if not growth.is_done]:
        runtime.step(moving)
    for wish, growth in zip(wishes, growing, strict=True):
        alone = begun(*wish)
        while not alone.is_done:
            [piece] = runtime.step([alone])
        assert alone.answer == growth.answer
        assert (piece.step, piece.steps) == (wish[1], wish[1])  # type: ignore[union-attr]


def test_the_export_draws_the_same_pictures_without_torch(
    learned: Predictor, field_sample: Callable[..., Dataset], tmp_path: Path
) -> None:
    rows = field_sample("text", "image-generation").take(np.arange(200, 220))
    exported = export_to_onnx(learned, rows)
    assert isinstance(exported.runtime, Sampler)
    assert exported.runtime.network.name == "onnx", exported.runtime_reason
    loaded = Predictor.load(exported.save(tmp_path))
    assert not (tmp_path / "weights.safetensors").exists()
    examples = list(rows.examples())
    assert np.abs(loaded.outputs(examples) - learned.outputs(examples)).max() <= TOLERANCE
    assert export_to_onnx(loaded, rows) is loaded


def test_torn_options_are_refused(flags: Predictor, tmp_path: Path) -> None:
    assert isinstance(flags.runtime, Sampler)
    flags.runtime.save(tmp_path)
    options = flags.runtime.options()
    assert Sampler.load(tmp_path, options, 1).options() == options
    for change in ({"path": "crooked"}, {"steps": "x"}, {"network": "abacus"}):
        with pytest.raises(ArtifactError):
            Sampler.load(tmp_path, {**options, **change}, 1)


def test_a_picture_that_comes_to_nothing_fails_alone(flags: Predictor) -> None:
    class Broken(Runtime):
        name = "broken"

        def run(self, batch: Any) -> np.ndarray:
            outputs = np.zeros_like(batch["noisy"])
            outputs[batch["category"] == 2] = np.nan
            return outputs

        def save(self, folder: Path) -> None: ...

        @classmethod
        def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Runtime:
            return cls()

    assert isinstance(flags.runtime, Sampler)
    runtime = replace(flags, runtime=flags.runtime.with_network(Broken())).runtime
    assert isinstance(runtime, Sampler)
    growths = [
        runtime.begin(flags.encode([{"prompt": prompt, "seed": 1}]), ImageParameters())
        for prompt in ("flag/red", "sea")
    ]
    sound, broken = runtime.step(growths)
    assert not isinstance(sound, Exception)
    assert isinstance(broken, NonFiniteError)
