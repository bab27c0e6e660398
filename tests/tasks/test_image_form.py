"""What is special to pictures: bombs, disguises, torn headers, both ways of sending."""

import base64
import io
import struct
import tracemalloc
import zlib

import pytest
from PIL import Image

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError, TooLargeError, UnsupportedMediaError
from servery.models.signature import Limits
from servery.tasks.forms.image import IMAGE

ONE = (Column("photo", Kind.IMAGE, Role.INPUT),)
WITH_AGE = (*ONE, Column("age", Kind.NUMBER, Role.INPUT))
LIMITS = Limits(max_image_pixels=10_000, max_image_bytes=50_000)
FORMATS = ["PNG", "JPEG", "GIF", "BMP", "WEBP"]


def picture(file_format="PNG", size=(20, 10), **options):
    written = io.BytesIO()
    Image.new("RGB", size, "red").save(written, file_format, **options)
    return written.getvalue()


def as_text(encoded):
    return base64.b64encode(encoded).decode()


def bomb(width, height):
    """A PNG of a few hundred bytes that claims to be huge."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format_is_read_both_ways(file_format):
    encoded = picture(file_format)
    assert IMAGE.examples(as_text(encoded), ONE, LIMITS) == [{"photo": encoded}]
    assert IMAGE.examples_from_bytes(encoded, "image/any", ONE, LIMITS) == [{"photo": encoded}]
    assert IMAGE.examples_from_bytes(encoded, "", ONE, LIMITS) == [{"photo": encoded}]


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"exif": b"Exif\0\0II*\0"}])
@pytest.mark.parametrize("size", [(100, 100), (101, 100)])
def test_the_pixels_of_all_kinds_of_webp_are_counted(options, size):
    encoded = picture("WEBP", size, **options)
    if size == (100, 100):
        assert IMAGE.examples(as_text(encoded), ONE, LIMITS)
    else:
        with pytest.raises(TooLargeError, match="101 x 100"):
            IMAGE.examples(as_text(encoded), ONE, LIMITS)


def test_data_uris_are_read():
    encoded = picture()
    for prefix in ("data:image/png;base64,", "DATA:;base64,"):
        assert IMAGE.examples(prefix + as_text(encoded), ONE, LIMITS) == [{"photo": encoded}]


@pytest.mark.parametrize("size", [(101, 100), (20_000, 20_000), (100_000, 100_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_memory_is_spent(size):
    body = bomb(*size)
    tracemalloc.start()
    with pytest.raises(TooLargeError, match="pixels"):
        IMAGE.examples_from_bytes(body, "image/png", ONE, LIMITS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000


def test_too_many_bytes_are_refused_before_they_are_decoded():
    with pytest.raises(TooLargeError, match="larger than 50,000 bytes"):
        IMAGE.examples("!" * 100_000, ONE, LIMITS)
    with pytest.raises(TooLargeError, match="50,200 bytes"):
        IMAGE.examples_from_bytes(picture().ljust(50_200, b"\0"), "image/png", ONE, LIMITS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\x80\x04\x95pickle",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"II*\0tiff",
        b"%PDF-1.7",
    ],
)
def test_what_is_no_picture_is_refused(body):
    with pytest.raises(UnsupportedMediaError):
        IMAGE.examples_from_bytes(body, "image/png", ONE, LIMITS)
    with pytest.raises(InputError, match="no PNG, JPEG"):
        IMAGE.examples(as_text(body), ONE, LIMITS)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_torn_header_is_refused(file_format):
    with pytest.raises(InputError, match="torn"):
        IMAGE.examples_from_bytes(picture(file_format)[:17], "image/png", ONE, LIMITS)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("not base64!", "not base64"),
        ("é", "not base64"),
        (None, "got null"),
        (5, "got a number"),
        ("https://example.org/cat.png", "fetches nothing"),
        ("file:///etc/passwd", "fetches nothing"),
    ],
)
def test_wrong_values_are_refused_with_their_place(value, message):
    with pytest.raises(InputError, match=message) as caught:
        IMAGE.examples([as_text(picture()), value], ONE, LIMITS)
    assert caught.value.param == "/inputs/1"


def test_a_picture_with_other_columns_is_an_object():
    encoded = picture()
    [example] = IMAGE.examples({"photo": as_text(encoded), "age": 7}, WITH_AGE, LIMITS)
    assert example == {"photo": encoded, "age": 7.0}
    with pytest.raises(UnsupportedMediaError, match="photo, age"):
        IMAGE.examples_from_bytes(encoded, "image/png", WITH_AGE, LIMITS)
