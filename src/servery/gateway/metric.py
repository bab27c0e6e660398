"""A metric's name, kind and meaning, and the text format in which Prometheus reads it.

Source: Prometheus, "Exposition formats" (text format 0.0.4) and "Metric and label naming".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from servery.gateway.tallies import Labels

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Metric:
    """What is counted or measured.

    Attributes:
        name: In base units; of a counter with `_total`.
        help: One sentence.
        kind: What may happen to it: counters only grow.
        labels: Their names.
        bounds: Upper bounds of a histogram's buckets, rising.
    """

    name: str
    help: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: Labels = ()
    bounds: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers it takes: of a histogram one a bucket, one beyond the last bound, and the sum."""
        return len(self.bounds) + 2 if self.kind == "histogram" else 1

    def observe(self, numbers: memoryview[float], place: int, value: float) -> None:
        """Add a value to a histogram whose numbers begin at `place`."""
        numbers[place + bisect_left(self.bounds, value)] += 1
        numbers[place + len(self.bounds) + 1] += value

    def lines(self, values: Mapping[Labels, list[float]]) -> Iterator[str]:
        """Yield its lines.

        Args:
            values: Its numbers by the values of its labels.

        >>> metric = Metric("visits_total", "Visits.", "counter", ("page",))
        >>> print(*metric.lines({("home",): [2.0]}), sep="")
        # HELP visits_total Visits.
        # TYPE visits_total counter
        visits_total{page="home"} 2
        <BLANKLINE>
        """
        yield f"# HELP {self.name} {self.help}\n# TYPE {self.name} {self.kind}\n"
        for labels, numbers in sorted(values.items()):
            pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(self.labels, labels, strict=True)]
            if self.kind != "histogram":
                yield f"{self.name}{_braced(pairs)} {_number(numbers[0])}\n"
                continue
            counts = list(accumulate(numbers[:-1]))
            for bound, count in zip((*map(_number, self.bounds), "+Inf"), counts, strict=True):
                bucket = _braced([*pairs, f'le="{bound}"'])
                yield f"{self.name}_bucket{bucket} {_number(count)}\n"
            yield f"{self.name}_sum{_braced(pairs)} {_number(numbers[-1])}\n"
            yield f"{self.name}_count{_braced(pairs)} {_number(counts[-1])}\n"


def text(metrics: Iterable[Metric], values: Mapping[tuple[str, Labels], list[float]]) -> bytes:
    """Return metrics in the text format.

    Args:
        metrics: In the order in which they are written.
        values: Their numbers by name and labels.
    """
    by_name: dict[str, dict[Labels, list[float]]] = {}
    for (name, labels), numbers in values.items():
        by_name.setdefault(name, {})[labels] = numbers
    return "".join(line for metric in metrics for line in metric.lines(by_name.get(metric.name, {}))).encode()


def _braced(pairs: list[str]) -> str:
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
