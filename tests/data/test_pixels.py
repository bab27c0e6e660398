"""Pictures as numbers and back: sizes, colours, transparency."""

import io

import numpy as np
import pytest
from PIL import Image

from servery.data.pixels import grid_of, pixels_of, png_of, shape_of


def encoded(mode: str, size: tuple[int, int], colour: object, **more: object) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, "PNG", **more)  # type: ignore[arg-type]
    return stream.getvalue()


def test_a_picture_with_transparency_comes_back_as_it_was():
    chance = np.random.default_rng(0)
    rows = chance.integers(0, 256, (6, 5, 4), dtype=np.uint8)
    rows[..., 3] = chance.choice([0, 255], (6, 5))
    rows[rows[..., 3] == 0] = 0
    stream = io.BytesIO()
    Image.fromarray(rows).save(stream, "PNG")
    again = png_of(pixels_of(stream.getvalue(), (4, 6, 5)))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(again))), rows)


def test_half_seen_colours_stay_within_the_rounding_of_their_alpha():
    content = encoded("RGBA", (4, 4), (200, 100, 50, 128))
    pixels = pixels_of(content, (4, 4, 4))
    assert pixels[:, 0, 0].tolist() == [100, 50, 25, 128]
    back = np.asarray(Image.open(io.BytesIO(png_of(pixels))), np.int16)
    assert np.abs(back[0, 0] - [200, 100, 50, 128]).max() <= 1


def test_without_a_channel_for_it_what_is_transparent_is_white():
    content = encoded("RGBA", (3, 3), (0, 0, 0, 0))
    assert pixels_of(content, (3, 3, 3)).min() == pixels_of(content, (1, 3, 3)).min() == 255


@pytest.mark.parametrize(
    ("contents", "shape"),
    [
        ([encoded("L", (10, 23), 7)], (1, 24, 8)),
        ([encoded("RGB", (16, 16), (9, 9, 9))], (1, 16, 16)),
        ([encoded("RGB", (16, 16), (9, 90, 9)), encoded("L", (16, 16), 3)], (3, 16, 16)),
        ([encoded("RGBA", (16, 16), (9, 9, 9, 254)), encoded("RGB", (16, 16), "red")], (4, 16, 16)),
        ([encoded("P", (16, 16), 0, transparency=0)], (4, 16, 16)),
        ([encoded("L", (400, 200), 1)], (1, 16, 32)),
        ([encoded("L", (3, 1), 1)], (1, 8, 8)),
    ],
)
def test_the_shape_is_what_the_pictures_need(contents, shape):
    assert shape_of(contents, 32, 8) == shape


def test_a_larger_picture_is_shrunk_with_all_it_shows():
    stream = io.BytesIO()
    Image.fromarray(np.kron(np.eye(2), np.full((8, 8), 255)).astype(np.uint8)).save(stream, "PNG")
    assert pixels_of(stream.getvalue(), (1, 2, 2)).tolist() == [[[255, 0], [0, 255]]]


def test_a_grid_reads_row_by_row():
    pictures = [np.full((1, 1, 1), value, np.uint8) for value in (1, 2, 3)]
    assert grid_of(pictures, 2, gap=1).tolist() == [[[1, 0, 2], [0, 0, 0], [3, 0, 0]]]
