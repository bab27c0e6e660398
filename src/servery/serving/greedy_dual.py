"""What to let go first when room is needed: what is seldom used, quick to have again, and large."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class _Weighed:
    uses: int
    cost_a_byte: float
    priority: float


class GreedyDual:
    """GreedyDual-Size-Frequency.

    A thing's priority is `L + uses * cost / size`, set anew when it is used. The lowest goes, and `L` becomes its
    priority, so that what is not used any more ages, however often it was used once.

    Source: Cherkasova (1998), Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy,
    HP Laboratories HPL-98-69R1, section 3.

    >>> order = GreedyDual()
    >>> order.add("quick", cost=1.0, size=10)
    >>> order.add("slow", cost=5.0, size=10)
    >>> order.by_priority({"quick": 1, "slow": 1})
    ['quick', 'slow']
    >>> order.by_priority({"quick": 6, "slow": 1})
    ['slow', 'quick']
    >>> order.remove("slow")
    >>> order.add("new", cost=2.0, size=10)  # 0.5 + 0.2 beats 0.6 of long ago
    >>> order.by_priority({"quick": 6, "new": 1})
    ['quick', 'new']
    """

    def __init__(self) -> None:
        self._age = 0.0
        self._weighed: dict[str, _Weighed] = {}

    def add(self, name: str, cost: float, size: float) -> None:
        """Note a thing that has come, and what it cost to have it."""
        cost_a_byte = cost / max(1.0, size)
        self._weighed[name] = _Weighed(1, cost_a_byte, self._age + cost_a_byte)

    def by_priority(self, uses: dict[str, int]) -> list[str]:
        """Return things, those first that should go first.

        Args:
            uses: How often each was used since it came.
        """
        # `L` only changes when something goes, and this comes before that: as if weighed at each use.
        for name, count in uses.items():
            weighed = self._weighed[name]
            if count > weighed.uses:
                weighed.uses = count
                weighed.priority = self._age + count * weighed.cost_a_byte
        return sorted(uses, key=lambda name: self._weighed[name].priority)

    def remove(self, name: str) -> None:
        """Note that a thing went to make room."""
        self._age = max(self._age, self._weighed.pop(name).priority)

    def forget(self, name: str) -> None:
        """Note that a thing went for another reason."""
        self._weighed.pop(name, None)
