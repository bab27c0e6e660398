"""Pictures of every sort, and those that must not be opened."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from servery.errors import ArtifactError, InputError, TooLargeError, UnsupportedMediaError
from servery.models.encoders.pictures import Pictures


def file_of(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def gradient(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.linspace(0, 255, width * height).reshape(height, width).astype(np.uint8))


def encoded(encoder: Pictures, content: object) -> np.ndarray:
    return encoder.encode([{"image": content}])["pixels"]


def test_size_and_colours_are_found_from_the_data() -> None:
    grey = [{"image": file_of(gradient(*size))} for size in ((20, 10), (24, 12), (28, 14))]
    found = Pictures.fit(grey, "image")
    assert (found.width, found.height, found.channels) == (24, 12, 1)
    as_colour = [{"image": file_of(gradient(20, 10).convert("RGB"), "JPEG")}]
    assert Pictures.fit(as_colour, "image").channels == 1
    red = [{"image": file_of(Image.new("RGB", (9, 9), "red"))}]
    assert Pictures.fit(red + as_colour, "image").channels == 3


def test_large_pictures_are_made_smaller_and_keep_their_aspect() -> None:
    found = Pictures.fit([{"image": file_of(gradient(400, 200))}], "image", longest_side=100)
    assert (found.width, found.height) == (100, 50)


def test_a_picture_of_the_right_size_comes_through_untouched() -> None:
    picture = gradient(28, 28)
    pixels = encoded(Pictures("image", 28, 28, 1), file_of(picture))
    assert pixels.shape == (1, 1, 28, 28)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels[0, 0], np.asarray(picture))


def test_a_picture_taken_upright_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn
    lying = gradient(20, 10)
    pixels = encoded(Pictures("image", 10, 20, 1), file_of(lying, exif=exif))
    assert np.array_equal(pixels[0, 0], np.rot90(np.asarray(lying), -1))


def test_transparency_becomes_white_and_sixteen_bits_become_eight() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (encoded(Pictures("image", 4, 4, 3), file_of(clear)) == 255).all()
    deep = Image.fromarray(np.full((4, 4), 0x8000, np.uint16))
    assert (encoded(Pictures("image", 4, 4, 1), file_of(deep)) == 0x80).all()


@pytest.mark.parametrize("content", [b"", b"plain text", file_of(gradient(30, 30))[:60]])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedMediaError) as caught:
        encoded(Pictures("image", 8, 8, 1), content)
    assert caught.value.param == "/image"


@pytest.mark.parametrize("content", [None, "text", 3])
def test_what_is_no_bytes_is_refused(content: object) -> None:
    with pytest.raises(InputError, match="expected the bytes"):
        encoded(Pictures("image", 8, 8, 1), content)


@pytest.mark.parametrize("side", [6000, 12_000, 60_000])
def test_a_small_file_of_a_huge_picture_is_refused_before_it_is_unpacked(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    with pytest.raises(TooLargeError):
        encoded(Pictures("image", 8, 8, 1), b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def test_state_survives_json_and_torn_state_is_refused() -> None:
    state = json.loads(json.dumps(Pictures("image", 8, 6, 3).state()))
    assert Pictures.restore(state).state() == state
    for torn in ({}, {**state, "channels": 2}, {**state, "width": 10**9}):
        with pytest.raises(ArtifactError):
            Pictures.restore(torn)
