"""How numbers from the data are written for people."""

from __future__ import annotations


def shown(value: float) -> str:
    """Return a number with four digits that count, never in powers of ten where digits do.

    >>> shown(340000.0), shown(0.123456), shown(-2.0)
    ('340,000', '0.1235', '-2')
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
