"""Batches: every row once, like lengths together, all chance from the seed."""

import numpy as np
import pytest
import torch

from servery.models.encoders.pictures import Pictures
from servery.models.families._augmentation import Augmentation
from servery.models.families._examples import EncodedExamples, TokenExamples

LENGTHS = np.random.default_rng(0).integers(1, 60, 1001)
TEXTS = TokenExamples([[7] * length for length in LENGTHS], np.zeros(1001, np.int64))
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 3, 16, 16)).astype(np.uint8)


def padding(batches: list[np.ndarray]) -> float:
    padded = sum(len(rows) * int(LENGTHS[rows].max()) for rows in batches)
    return padded / int(LENGTHS.sum())


@pytest.mark.parametrize("examples", [TEXTS, EncodedExamples({}, np.zeros(1001, np.int64))])
def test_an_epoch_has_every_row_once_and_no_batch_of_one(examples: EncodedExamples) -> None:
    batches = examples.order(3, 0, 20)
    assert sorted(np.concatenate(batches).tolist()) == list(range(1001))
    assert min(len(rows) for rows in batches) > 1


def test_the_order_follows_from_seed_and_epoch() -> None:
    first, same, other_epoch, other_seed = (
        TEXTS.order(*arguments, 20) for arguments in ((1, 2), (1, 2), (1, 3), (2, 2))
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    for other in (other_epoch, other_seed):
        assert not np.array_equal(np.concatenate(first), np.concatenate(other))


def test_texts_of_like_length_share_a_batch() -> None:
    plain = EncodedExamples({}, np.zeros(1001, np.int64)).order(0, 0, 20)
    assert padding(TEXTS.order(0, 0, 20)) < 1.25 < padding(plain)


def test_a_batch_of_texts_is_padded_to_its_longest() -> None:
    rows = np.array([5, 9, 2])
    inputs, targets = TEXTS.batch(rows, 0, 0, 0)
    assert inputs["tokens"].shape == (3, LENGTHS[rows].max())
    assert (inputs["tokens"] > 0).sum(dim=1).tolist() == LENGTHS[rows].tolist()
    assert len(targets) == 3


def augmented(seed: int, step: int, **choices: str) -> torch.Tensor:
    chosen = {"augmentation": "strong", "flip": "all", **choices}
    augmentation = Augmentation.of(chosen, Pictures("image", 16, 16, 3))
    examples = EncodedExamples({"pixels": PIXELS}, np.zeros(9, np.int64), augmentation)
    return examples.batch(np.arange(9), seed, 0, step)[0]["pixels"]


def test_what_augmentation_does_follows_from_seed_epoch_and_step() -> None:
    torch.manual_seed(1)
    first = augmented(1, 2)
    torch.manual_seed(2)
    assert torch.equal(first, augmented(1, 2))
    assert not torch.equal(first, augmented(1, 3))
    assert not torch.equal(first, augmented(2, 2))


def test_mirroring_alone_gives_the_picture_or_its_mirror_image() -> None:
    pixels = torch.from_numpy(PIXELS).float()
    mirrored = augmented(0, 0, augmentation="none", flip="horizontal")
    is_same = (mirrored - pixels).abs().amax(dim=(1, 2, 3)) < 0.1
    is_mirror = (mirrored - pixels.flip(3)).abs().amax(dim=(1, 2, 3)) < 0.1
    assert (is_same ^ is_mirror).all()
    assert is_same.any()
    assert is_mirror.any()


def test_small_grey_pictures_are_neither_mirrored_nor_cropped_hard() -> None:
    auto = {"augmentation": "auto", "flip": "auto"}
    digits, photos = Pictures("image", 28, 28, 1), Pictures("image", 112, 96, 3)
    light, strong = Augmentation.of(auto, digits), Augmentation.of(auto, photos)
    assert light is not None
    assert strong is not None
    assert (light.flip, light.smallest_crop) == ("none", 0.8)
    assert (strong.flip, strong.smallest_crop, strong.height, strong.width) == ("horizontal", 0.4, 96, 112)
