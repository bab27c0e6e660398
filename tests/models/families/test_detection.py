"""What a detector learns from: boxes move with their pixels, maps say what stands where, losses are the papers'."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from servery.errors import DataError
from servery.models.families._detection_examples import DetectionExamples, Shaking
from servery.models.families._detection_objective import box_loss, focal_loss, generalised_overlap
from servery.nn.networks.centre_detector import STRIDE, CentreDetector

WIDTH, HEIGHT = 96, 64


def examples(
    boxes: list[tuple[float, float, float, float]], shaking: Shaking | None, rows: int = 8
) -> DetectionExamples:
    """Dark sheets with bright boxes on them, labels 0, 1, 0 ..."""
    pixels = np.full((rows, 1, HEIGHT, WIDTH), 10, np.uint8)
    for xmin, ymin, xmax, ymax in boxes:
        pixels[:, 0, int(ymin) : int(ymax), int(xmin) : int(xmax)] = 250
    frames = np.tile(np.array([2 * WIDTH, 2 * HEIGHT, WIDTH, HEIGHT], np.float32), (rows, 1))
    things = [[n % 2, *(np.array(box) / (WIDTH, HEIGHT, WIDTH, HEIGHT))] for n, box in enumerate(boxes)]
    targets = np.empty(rows, object)
    for row in range(rows):
        targets[row] = np.array(things, np.float64).reshape(-1, 5)
    return DetectionExamples({"pixels": pixels, "frames": frames}, targets, 2, shaking)


def test_maps_have_a_top_at_each_centre_and_the_box_around_it() -> None:
    box = (20.0, 8.0, 52.0, 40.0)
    inputs, targets = examples([box], None).batch(np.array([0]), 0, 0, 0)
    assert inputs["pixels"].shape == (1, 1, HEIGHT, WIDTH)
    centres = targets["centres"][0].numpy()
    assert centres.shape == (2, HEIGHT // STRIDE, WIDTH // STRIDE)
    assert np.argwhere(centres == 1.0).tolist() == [[0, 24 // STRIDE, 36 // STRIDE]]
    assert centres[1].max() == 0.0
    told = targets["edges"][0][:, targets["weights"][0] > 0]
    assert (told == torch.tensor(box)[:, None]).all()
    assert targets["weights"].sum().item() == pytest.approx(math.log(32 * 32), rel=1e-5)


def test_the_smaller_of_two_things_keeps_the_places_they_share() -> None:
    _, targets = examples([(40.0, 24.0, 56.0, 40.0), (0.0, 0.0, 96.0, 64.0)], None).batch(
        np.array([0]), 0, 0, 0
    )
    assert targets["edges"][0][:, 32 // STRIDE, 48 // STRIDE].tolist() == [40.0, 24.0, 56.0, 40.0]


def test_a_sheet_without_things_has_empty_maps_and_a_loss() -> None:
    _, targets = examples([], None).batch(np.array([0, 1]), 0, 0, 0)
    assert targets["centres"].max() == 0
    logits = torch.zeros_like(targets["centres"])
    distances = torch.ones(2, 4, *logits.shape[2:])
    assert box_loss(distances, targets["edges"], targets["weights"]).item() == 0.0
    assert focal_loss(logits, targets["centres"]).item() == pytest.approx(logits.numel() * 0.25 * math.log(2))


@pytest.mark.parametrize("flip", ["none", "horizontal", "all"])
def test_boxes_move_with_their_pixels(flip: str) -> None:
    few = examples([(24.0, 20.0, 56.0, 44.0)], Shaking(1.5, 0.0, flip), rows=40)
    inputs, targets = few.batch(np.arange(40), 3, 1, 2)
    kept = 0
    for row in range(40):
        is_told = targets["weights"][row] > 0
        bright = np.argwhere(inputs["pixels"][row, 0].numpy() > 130)
        if not is_told.any():
            continue
        kept += 1
        box = targets["edges"][row][:, is_told][:, 0].numpy()
        seen = np.array([*bright.min(axis=0)[::-1], *(bright.max(axis=0)[::-1] + 1)])
        assert np.abs(box - seen).max() <= 1.5
    assert kept > 30


def test_things_that_are_mostly_cut_away_are_forgotten() -> None:
    few = examples([(0.0, 0.0, 12.0, 12.0)], Shaking(3.0, 0.0, "none"), rows=60)
    _, targets = few.batch(np.arange(60), 0, 0, 0)
    shown = (targets["weights"].flatten(1).sum(dim=1) > 0).float().mean().item()
    assert 0.3 < shown < 0.9


def test_the_same_arguments_give_the_same_batch_and_others_another() -> None:
    few = examples([(24.0, 20.0, 56.0, 44.0)], Shaking(1.5, 0.3, "all"))
    rows = np.arange(4)
    one, again, other = (few.batch(rows, 0, epoch, 5)[0]["pixels"] for epoch in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_an_epoch_of_a_small_data_set_takes_every_row_several_times() -> None:
    few = examples([], None)
    longer = DetectionExamples(
        {name: array.numpy() for name, array in few.arrays.items()}, few.things, 2, None, repeats=3
    )
    assert len(longer) == 24
    rows = np.concatenate(longer.order(0, 0, 8))
    assert sorted(rows % 8) == sorted(list(range(8)) * 3)
    assert longer.batch(rows[:8], 0, 0, 0)[0]["pixels"].shape[0] == 8


@pytest.mark.parametrize(
    ("change", "words"), [((1.4, 0.1, "both"), "flip is 'both'"), ((0.5, 0.1, "all"), "zoom")]
)
def test_changes_that_cannot_be_are_refused(change: tuple[float, float, str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Shaking(*change)


def test_the_focal_loss_is_that_of_the_paper() -> None:
    # One centre said with 0.9, a place beside it (bump 0.5) with 0.6, an empty one with 0.2; equation 1, one thing.
    scores, centres = torch.tensor([0.9, 0.6, 0.2]), torch.tensor([1.0, 0.5, 0.0])
    expected = -(0.1**2 * math.log(0.9) + 0.5**4 * 0.6**2 * math.log(0.4) + 0.2**2 * math.log(0.8))
    found = focal_loss(torch.logit(scores).view(1, 1, 1, 3), centres.view(1, 1, 1, 3))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_generalised_overlap_by_hand() -> None:
    first = torch.tensor([[0.0, 0.0, 2.0, 2.0]] * 3)
    second = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [4.0, 0.0, 6.0, 2.0]])
    assert generalised_overlap(first, second).tolist() == pytest.approx([1.0, 1 / 3, -1 / 3])


def test_what_the_maps_say_comes_back_as_boxes_in_shares() -> None:
    network = CentreDetector(1, [0.0], [1.0], [8, 8], 1, 8, 2).eval()
    pixels = torch.zeros(1, 1, 32, 48)
    frames = torch.tensor([[400.0, 200.0, 40.0, 20.0]])
    logits, distances = network.maps(pixels)
    outputs = network(pixels=pixels, frames=frames)
    assert outputs.shape == (1, 1 + 8 * 12, 4 + 2)
    assert outputs[0, 0].tolist() == [400.0, 200.0, 0.0, 0.0, 0.0, 0.0]
    row, column = 3, 5
    left, top, right, bottom = distances[0, :, row, column].tolist()
    x, y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
    line = outputs[0, 1 + row * 12 + column].tolist()
    expected = [(x - left) / 40, (y - top) / 20, (x + right) / 40, (y + bottom) / 20]
    assert line == pytest.approx([*expected, *logits[0, :, row, column].tolist()], rel=1e-5)
