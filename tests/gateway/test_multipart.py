"""Forms: what two other implementations write is read back, and nothing else gets past the bounds."""

import time
import tracemalloc

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servery.errors import InputError, MalformedError
from servery.gateway.openai.multipart import LARGEST_TEXT_BYTES, MOST_PARTS, Part, parts_of

NAMES = st.text(st.characters(codec="utf-8", exclude_characters='\r\n"\\%'), min_size=1, max_size=20).filter(
    str.strip
)


def written(**fields: object) -> tuple[bytes, str]:
    """A form as httpx writes it."""
    request = httpx.Request("POST", "http://x", **fields)  # type: ignore[arg-type]
    return request.read(), request.headers["content-type"]


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=400), text=st.text(max_size=100), filename=NAMES)
def test_what_httpx_writes_is_read_back(content, text, filename):
    body, content_type = written(
        files={"file": (filename, content, "audio/wav")}, data={"prompt": text, "kinds[]": ["a", "b"]}
    )
    by_name: dict[str, list[Part]] = {}
    for part in parts_of(body, content_type):
        by_name.setdefault(part.name, []).append(part)
    [file] = by_name["file"]
    assert (file.content, file.content_type) == (content, "audio/wav")
    assert file.filename is not None
    assert by_name["prompt"][0].text == text
    assert [part.text for part in by_name["kinds[]"]] == ["a", "b"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"--x", b"\r\n", b"--", b"name=", b'"a"', b": ", b"a", b";", b"\r\n\r\n",
                                 b"Content-Disposition: form-data; ", b"\xff", b"\0"]), max_size=40))  # fmt: skip
def test_any_bytes_are_a_form_or_an_error_of_ours(pieces):
    parts, status = [], 400
    try:
        parts = parts_of(b"".join(pieces), "multipart/form-data; boundary=x")
    except InputError as error:
        status = error.http_status
    assert status in {400, 413}
    assert len(parts) <= MOST_PARTS
    assert all(part.name for part in parts)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=100))
def test_any_content_type_is_read_or_refused(text):
    with pytest.raises(InputError):
        parts_of(b"", f"multipart/form-data{text}")


@pytest.mark.parametrize(
    "told",
    ['boundary="a b"', "boundary=x; charset=utf-8", "charset=utf-8; Boundary=x", 'boundary="x"'],
)
def test_the_boundary_is_read_as_clients_write_it(told):
    boundary = "a b" if "a b" in told else "x"
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="n"\r\n\r\n\r\n--{boundary}--'.encode()
    assert parts_of(body, f"Multipart/Form-Data; {told}") == [Part("n", b"")]


def test_a_text_that_is_not_utf_8_is_refused_when_it_is_read():
    body = b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n\xff\r\n--x--'
    [part] = parts_of(body, "multipart/form-data; boundary=x")
    with pytest.raises(MalformedError, match="'n' is not UTF-8"):
        assert part.text


def test_a_large_form_costs_its_own_size_and_a_hostile_one_nothing():
    file = b'Content-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    almost = b"\r\n--boundary"[:-1] * 700_000  # bytes that nearly end the part, over and over
    body = b"--boundary\r\n" + file + almost + b"\r\n--boundary--\r\n"
    torn = body[:-20]
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(MalformedError, match="torn"):
        parts_of(torn, "multipart/form-data; boundary=boundary")
    assert tracemalloc.get_traced_memory()[1] < LARGEST_TEXT_BYTES
    [part] = parts_of(body, "multipart/form-data; boundary=boundary")
    assert time.perf_counter() - started < 0.5
    tracemalloc.stop()
    assert part.content == almost
