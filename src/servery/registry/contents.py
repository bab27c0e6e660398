"""What a file of an artifact may be: an allow-list of suffixes, each with a check of the content."""

from __future__ import annotations

import tomllib
from codecs import getincrementaldecoder
from collections.abc import Callable
from io import BufferedReader

from servery.registry.onnx_file import check_onnx
from servery.registry.safetensors_file import check_safetensors
from servery.registry.strict_json import read_json

MEGABYTE = 2**20
MAX_BYTES = {
    ".json": 64 * MEGABYTE,
    ".toml": 4 * MEGABYTE,
    ".md": 16 * MEGABYTE,
    ".html": 64 * MEGABYTE,
    ".txt": 1024 * MEGABYTE,
    ".onnx": 2048 * MEGABYTE,
    ".safetensors": 64 * 1024 * MEGABYTE,
}
"""Allowed suffix to the most bytes of such a file."""

FORBIDDEN_STARTS = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "a zip archive",
    b"PK\x07\x08": "a zip archive",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x5d\x00\x00": "lzma",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x78\x01": "zlib",
    b"\x78\x5e": "zlib",
    b"\x78\x9c": "zlib",
    b"\x78\xda": "zlib",
    b"\x80\x02": "pickle",
    b"\x80\x03": "pickle",
    b"\x80\x04": "pickle",
    b"\x80\x05": "pickle",
    b"\x93NUMPY": "a numpy file",
    b"\x89HDF": "HDF5",
    b"\x7fELF": "a program",
}
"""How files begin that hold, or may hold, code; the check of the suffix alone would let some pass as text."""


def check_content(file: BufferedReader, suffix: str, size_bytes: int) -> None:
    """Check that an open file holds what its suffix says.

    Raises:
        ValueError: It does not; the message says why.
    """
    start = file.read(8)
    file.seek(0)
    disguise = next((noun for magic, noun in FORBIDDEN_STARTS.items() if start.startswith(magic)), None)
    # A safetensors file begins with a length, which may look like anything; its own check is complete.
    if disguise and suffix != ".safetensors":
        raise ValueError(f"{disguise} in disguise")
    CHECKS[suffix](file, size_bytes)


def _check_json(file: BufferedReader, _size_bytes: int) -> None:
    read_json(file.read())


def _check_toml(file: BufferedReader, _size_bytes: int) -> None:
    try:
        tomllib.load(file)
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError("not TOML") from error


def _check_text(file: BufferedReader, _size_bytes: int) -> None:
    decoder = getincrementaldecoder("utf-8")()
    chunk = b" "
    while chunk:
        chunk = file.read(MEGABYTE)
        if b"\0" in chunk:
            raise ValueError("not text: it holds a NUL byte")
        decoder.decode(chunk, final=not chunk)


CHECKS: dict[str, Callable[[BufferedReader, int], None]] = {
    ".json": _check_json,
    ".toml": _check_toml,
    ".md": _check_text,
    ".html": _check_text,
    ".txt": _check_text,
    ".onnx": check_onnx,
    ".safetensors": check_safetensors,
}
