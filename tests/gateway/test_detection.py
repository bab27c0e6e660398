"""Object detection over the wire: the native form, the Hub's with its unmodified client, and bad pictures."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from types import ModuleType
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient, close_session
from PIL import Image

Call = Callable[..., httpx.Response]


@pytest.fixture
def hub(server: Any, home: Any) -> Iterator[InferenceClient]:
    yield InferenceClient(f"{server.url}/v1/models/quarters", token=home.secrets["app"])
    close_session()


@pytest.fixture
def small(house: ModuleType) -> Any:
    return house.load_room("detector")


def predicted(call: Call, picture: bytes, **parameters: Any) -> dict[str, Any]:
    inputs = base64.b64encode(picture).decode("ascii")
    body = {"inputs": inputs, "parameters": parameters} if parameters else {"inputs": inputs}
    answer = call("POST", "/v1/models/quarters/predict", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["outputs"][0]
    return found


def test_boxes_are_in_the_pixels_of_the_picture_that_was_sent(call: Call, small: Any) -> None:
    found = predicted(call, small.picture(1, size=(200, 200)))
    assert (found["width"], found["height"]) == (200, 200)
    [thing] = found["objects"]
    assert thing["label"] == "light"
    assert thing["score"] > 0.9
    assert thing["box"] == {"xmin": 100.0, "ymin": 0.0, "xmax": 200.0, "ymax": 100.0}


def test_the_hub_client_detects_objects(hub: InferenceClient, small: Any) -> None:
    found = hub.object_detection(small.picture(0, 3))
    assert [thing.label for thing in found] == ["light", "light"]
    assert sorted((box.xmin, box.ymin, box.xmax, box.ymax) for box in (t.box for t in found)) == [
        (0, 0, 16, 16),
        (16, 16, 32, 32),
    ]
    assert hub.object_detection(small.picture(), threshold=0.9) == []
    assert len(hub.object_detection(small.picture(2), threshold=0.5)) == 1


def test_parameters_choose_how_much_is_answered(call: Call, small: Any) -> None:
    picture = small.picture(0, 1, 2)
    assert len(predicted(call, picture)["objects"]) == 3
    assert len(predicted(call, picture, top_k=1)["objects"]) == 1
    assert len(predicted(call, picture, threshold=0.999)["objects"]) == 0
    inputs = base64.b64encode(picture).decode("ascii")
    for wrong in ({"threshold": 1.5}, {"threshold": "low"}, {"top_k": 0}, {"overlap": 0.5}):
        answer = call("POST", "/v1/models/quarters/predict", json={"inputs": inputs, "parameters": wrong})
        assert answer.status_code == 422


def huge_png() -> bytes:
    """A PNG of some bytes that claims 50,000 x 50,000 pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def test_the_hub_client_gets_the_parts_of_a_picture_as_masks(server: Any, home: Any, small: Any) -> None:
    client = InferenceClient(f"{server.url}/v1/models/regions", token=home.secrets["app"])
    dark, bright = client.image_segmentation(small.picture(1, size=(80, 40)))
    assert (dark.label, bright.label) == ("dark", "bright")
    assert bright.mask.size == (80, 40)
    assert bright.mask.getbbox() == (40, 0, 80, 20)
    assert client.image_segmentation(small.picture(1), threshold=0.95) == []


def test_a_picture_that_claims_to_be_huge_or_is_torn_is_refused(call: Call, small: Any) -> None:
    for picture, status in ((huge_png(), 413), (small.picture(0)[:70], 415), (b"no picture", 422)):
        inputs = base64.b64encode(picture).decode("ascii")
        answer = call("POST", "/v1/models/quarters/predict", json={"inputs": inputs})
        assert answer.status_code == status, answer.text
        assert "picture" in answer.json()["error"]["message"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_are_answered(call: Call, mode: str) -> None:
    stream = BytesIO()
    Image.new("L", (20, 10), 255).convert(mode).save(stream, "JPEG" if mode == "CMYK" else "PNG")
    found = predicted(call, stream.getvalue())
    assert (found["width"], found["height"]) == (20, 10)
    assert len(found["objects"]) >= 1


def test_one_pixel_and_a_thin_line_are_answered(call: Call) -> None:
    for size in ((1, 1), (1, 900), (900, 1)):
        stream = BytesIO()
        Image.new("L", size, 0).save(stream, "PNG")
        found = predicted(call, stream.getvalue())
        assert (found["width"], found["height"]) == size


def test_a_picture_taken_upright_has_boxes_as_it_stands(call: Call, small: Any) -> None:
    with Image.open(BytesIO(small.picture(0, size=(40, 20)))) as lying:
        exif = Image.Exif()
        exif[0x0112] = 6  # a quarter turn: the upper left corner becomes the upper right one
        stream = BytesIO()
        lying.save(stream, "PNG", exif=exif)
    found = predicted(call, stream.getvalue())
    assert (found["width"], found["height"]) == (20, 40)
    assert all(thing["box"]["xmin"] >= 0 and thing["box"]["xmax"] <= 20 for thing in found["objects"])


def test_the_part_of_the_picture_that_holds_a_thing_speaks_for_it(call: Call, small: Any) -> None:
    body = {"inputs": base64.b64encode(small.picture(1)).decode("ascii")}
    answer = call("POST", "/v1/models/quarters/explain", json=body)
    assert answer.status_code == 200, answer.text
    explanation = answer.json()["explanations"][0]
    assert explanation["label"] == "light"
    middles = {
        (left + width / 2 > 16, top + height / 2 > 16)
        for effect in explanation["effects"]
        if effect["effect"] > 0.001
        for left, top, width, height in [effect["part"]["box"]]
    }
    assert middles == {(True, False)}  # the upper right quarter, where the light is
