"""One request of the SDK, before anything carries it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servery.errors import InputError

PART_BYTES = 2**20


@dataclass(frozen=True)
class Call:
    """What is sent where.

    Attributes:
        method: Of HTTP.
        path: With its query.
        content: The body, or the file that holds it.
        content_type: What the body is.
        headers: Those of this call alone.
    """

    method: str
    path: str
    content: bytes | Path | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def sent(self, *, is_async: bool = False) -> dict[str, Any]:
        """Return what httpx wants to know of it.

        Raises:
            InputError: The file cannot be read.
        """
        headers = dict(self.headers)
        content: Any = self.content
        if content is not None:
            headers["content-type"] = self.content_type
        if isinstance(content, Path):
            headers["content-length"] = str(_size(content))
            content = _parts_async(content) if is_async else _parts(content)
        return {"method": self.method, "url": self.path, "content": content, "headers": headers}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}.", param="file") from error


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part


async def _parts_async(path: Path) -> AsyncIterator[bytes]:
    # One part is read faster than a thread would be asked.
    for part in _parts(path):
        yield part
