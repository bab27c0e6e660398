"""Checks a safetensors file before anything loads it: header size, types, shapes, offsets.

Source: the format's description in the README of the safetensors project.
"""

from __future__ import annotations

import math
import struct
from io import BufferedReader
from typing import Any

from servery.registry.strict_json import read_json

MAX_HEADER_BYTES = 16 * 2**20
MAX_DIMENSIONS = 16
BYTES_OF_TYPE = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}


def check_safetensors(file: BufferedReader, size_bytes: int) -> None:
    """Check a file from its start to its end; the tensors must fill it without gap or overlap.

    Raises:
        ValueError: It is not sound; the message says why.
    """
    if size_bytes < 8:
        raise ValueError("shorter than its header")
    (header_bytes,) = struct.unpack("<Q", file.read(8))
    if header_bytes > min(MAX_HEADER_BYTES, size_bytes - 8):
        raise ValueError(f"its header claims {header_bytes:,} bytes")
    header = read_json(file.read(header_bytes))
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    _check_metadata(header.pop("__metadata__", {}))
    spans = sorted(_span(name, tensor) for name, tensor in header.items())
    position = 0
    for start, end, name in spans:
        if start != position:
            raise ValueError(f"the tensor {name[:80]!r} leaves a gap or overlaps another")
        position = end
    if position != size_bytes - 8 - header_bytes:
        raise ValueError(f"its tensors end at {position:,}, its data at {size_bytes - 8 - header_bytes:,}")


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata is no object of strings")


def _span(name: str, tensor: Any) -> tuple[int, int, str]:
    if not isinstance(tensor, dict) or tensor.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the tensor {name[:80]!r} is not described by dtype, shape and data_offsets")
    shape, offsets = tensor["shape"], tensor["data_offsets"]
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS or not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(f"the tensor {name[:80]!r} has a shape or offsets that are no counts")
    width = BYTES_OF_TYPE.get(tensor["dtype"]) if isinstance(tensor["dtype"], str) else None
    if width is None:
        raise ValueError(f"the tensor {name[:80]!r} has the unknown type {str(tensor['dtype'])[:20]!r}")
    start, end = offsets
    if end - start != width * math.prod(shape):
        raise ValueError(f"the tensor {name[:80]!r} has offsets that do not fit its shape")
    return start, end, name


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)
