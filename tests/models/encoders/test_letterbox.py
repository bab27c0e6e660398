"""The letterbox keeps the shape of pictures and says what it did to them."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from servery.errors import ArtifactError, UnsupportedMediaError
from servery.models.encoders.letterbox import GREY, Letterbox


def file_of(width: int, height: int, colour: int | str = 200, mode: str = "L") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (width, height), colour).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("size", "placed"),
    [
        ((32, 16), (16, 8)),
        ((16, 32), (4, 8)),
        ((4, 2), (16, 8)),
        ((1, 1), (8, 8)),
        ((1, 5000), (1, 8)),
        ((5000, 1), (16, 1)),
    ],
)
def test_a_picture_is_fitted_into_the_upper_left_corner(
    size: tuple[int, int], placed: tuple[int, int]
) -> None:
    batch = Letterbox("image", 16, 8, 1).encode([{"image": file_of(*size)}])
    assert batch["frames"].tolist() == [[*size, *placed]]
    width, height = placed
    assert batch["pixels"].shape == (1, 1, 8, 16)
    assert (batch["pixels"][0, 0, :height, :width] == 200).all()
    assert (batch["pixels"][0, 0, height:] == GREY).all()
    assert (batch["pixels"][0, 0, :, width:] == GREY).all()


def test_size_and_colours_are_found_from_the_data_in_whole_steps() -> None:
    rows = [{"image": file_of(640, 480, "red", "RGB")}] * 3
    found = Letterbox.fit(rows, "image", longest_side=322, step=16)
    assert (found.width, found.height, found.channels) == (336, 256, 3)
    back = Letterbox.restore(json.loads(json.dumps(found.state())))
    assert np.array_equal(back.encode(rows)["pixels"], found.encode(rows)["pixels"])


def test_torn_pictures_and_states_are_refused() -> None:
    with pytest.raises(UnsupportedMediaError):
        Letterbox("image", 8, 8, 1).encode([{"image": file_of(64, 64)[:60]}])
    for torn in ({}, {"column": "image", "width": 0, "height": 8, "channels": 1}, {"column": "image"}):
        with pytest.raises(ArtifactError, match="letterbox"):
            Letterbox.restore(torn)
