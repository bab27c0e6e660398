"""Draws a small graph as nodes and arrows."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 900, 560
MARGIN = 60
RADIUS = 6
STEPS = 300
LETTER = 6.6
"""Width of a Latin letter of the labels, in pixels; others are about twice as wide."""
MOST_CHARACTERS = 26
ALONE = "--ink:#1d2733;--soft:#5c6b7a;--line:#c9d2da;--accent:#0b6bcb;--bad:#b3261e;--card:#ffffff"
"""The colours of a picture that stands on no page of ours."""
_STROKES = {
    "fact": 'stroke="var(--soft)" stroke-width="1.2"',
    "right": 'stroke="var(--accent)" stroke-width="2.2"',
    "wrong": 'stroke="var(--bad)" stroke-width="1.6" stroke-dasharray="5 3"',
}


@dataclass(frozen=True)
class Link:
    """An arrow from head to tail.

    Attributes:
        head: What it starts from.
        relation: What is written beside it.
        tail: What it leads to.
        kind: "fact", or of a prediction "right" or "wrong".
        note: Shown where the pointer rests on it.
    """

    head: str
    relation: str
    tail: str
    kind: str = "fact"
    note: str = ""


def draw_graph(links: Sequence[Link], name: str = "graph", is_alone: bool = False) -> str:
    """Return an SVG element whose colours follow the page.

    Args:
        links: The arrows; what they name are the nodes.
        name: Starts every id, so that pictures on one page do not mix theirs up.
        is_alone: Whether it is a file of its own, with its own colours.
    """
    nodes = list(dict.fromkeys(node for link in links for node in (link.head, link.tail)))
    places = dict(zip(nodes, _laid_out(nodes, links).tolist(), strict=True))
    arrows = "".join(_arrow(link, places, name, number, links) for number, link in enumerate(links))
    dots = "".join(_dot(node, *places[node]) for node in nodes)
    style = f' style="{ALONE};background:var(--card)"' if is_alone else f' style="max-width: {WIDTH}px"'
    heads = "".join(
        f'<marker id="{name}-{kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse" markerUnits="userSpaceOnUse">'
        f'<path d="M0 0L8 4L0 8z" fill="var(--{colour})"/></marker>'
        for kind, colour in (("fact", "soft"), ("right", "accent"), ("wrong", "bad"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" id="{name}"{style} '
        f'font-family="sans-serif" font-size="12"><title>{len(nodes)} nodes and {len(links)} arrows</title>'
        f"<defs>{heads}</defs>{arrows}{dots}</svg>"
    )


def _laid_out(nodes: Sequence[str], links: Sequence[Link]) -> np.ndarray:
    """Return a place for each node, (nodes, 2): arrows pull their ends together, nodes push each other away.

    Source: Fruchterman and Reingold (1991), Graph drawing by force-directed placement, section 2.
    """
    count = len(nodes)
    angles = 2 * math.pi * np.arange(count) / max(count, 1)
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # a circle: every start is the same
    numbers = {node: number for number, node in enumerate(nodes)}
    pairs = np.array([(numbers[link.head], numbers[link.tail]) for link in links], np.int64).reshape(-1, 2)
    ideal = math.sqrt(4.0 / max(count, 1))
    for step in range(STEPS):
        apart = places[:, None] - places[None]  # (nodes, nodes, 2)
        distance = np.maximum(np.linalg.norm(apart, axis=2), 1e-3)
        moves = (apart / distance[..., None] ** 2).sum(axis=1) * ideal**2
        along = places[pairs[:, 0]] - places[pairs[:, 1]]
        pull = along * np.linalg.norm(along, axis=1, keepdims=True) / ideal
        np.add.at(moves, pairs[:, 0], -pull)
        np.add.at(moves, pairs[:, 1], pull)
        moves -= 0.1 * places  # parts that no arrow connects stay in the picture
        length = np.maximum(np.linalg.norm(moves, axis=1, keepdims=True), 1e-9)
        places = places + moves / length * np.minimum(length, 0.2 * (1 - step / STEPS))
    low, high = (places.min(axis=0), places.max(axis=0)) if count else (np.zeros(2), np.ones(2))
    scaled = (places - low) / np.maximum(high - low, 1e-9)
    # Half their order, half their distance: parts that no arrow connects would drift apart, and crowd within.
    order = np.argsort(np.argsort(places, axis=0, kind="stable"), axis=0) / max(count - 1, 1)
    scaled = (scaled + 2.0 * order) / 3.0
    side = MARGIN + 0.5 * LETTER * MOST_CHARACTERS
    return np.asarray([side, MARGIN] + scaled * [WIDTH - 2 * side, HEIGHT - 2 * MARGIN])


def _arrow(link: Link, places: dict[str, list[float]], name: str, number: int, links: Sequence[Link]) -> str:
    """Return one arrow, bent the more the more others connect the same two nodes."""
    (x1, y1), (x2, y2) = places[link.head], places[link.tail]
    twins = [i for i, other in enumerate(links) if {other.head, other.tail} == {link.head, link.tail}]
    bend = 14 * (1 + twins.index(number)) if len(twins) > 1 else 0
    length = max(math.hypot(x2 - x1, y2 - y1), 1e-6)
    across = (-(y2 - y1) / length, (x2 - x1) / length)
    if link.head == link.tail:
        path, (mx, my) = f"M{x1 - 4:.0f} {y1 - 5:.0f}c-30 -40 38 -40 8 0", (x1, y1 - 30)
    else:
        gap = (RADIUS + 2) / length
        start = (x1 + (x2 - x1) * gap, y1 + (y2 - y1) * gap)
        end = (x2 - (x2 - x1) * gap, y2 - (y2 - y1) * gap)
        cx, cy = (x1 + x2) / 2 + 2 * bend * across[0], (y1 + y2) / 2 + 2 * bend * across[1]
        mx, my = (x1 + x2) / 2 + bend * across[0], (y1 + y2) / 2 + bend * across[1]
        path = f"M{start[0]:.0f} {start[1]:.0f}Q{cx:.0f} {cy:.0f} {end[0]:.0f} {end[1]:.0f}"
    told = html.escape(link.note or f"{link.head}, {link.relation}, {link.tail}")
    return (
        f"<g><title>{told}</title>"
        f'<path d="{path}" fill="none" {_STROKES[link.kind]} marker-end="url(#{name}-{link.kind})"/>'
        f'<text x="{mx:.0f}" y="{my - 3:.0f}" text-anchor="middle" font-size="10" fill="var(--soft)" '
        f'stroke="var(--card)" stroke-width="3" paint-order="stroke">{html.escape(_short(link.relation))}</text></g>'
    )


def _dot(node: str, x: float, y: float) -> str:
    return (
        f'<g><title>{html.escape(node)}</title><circle cx="{x:.0f}" cy="{y:.0f}" r="{RADIUS}" fill="var(--accent)"/>'
        f'<text x="{x:.0f}" y="{y - RADIUS - 4:.0f}" text-anchor="middle" fill="var(--ink)" stroke="var(--card)" '
        f'stroke-width="3" paint-order="stroke">{html.escape(_short(node))}</text></g>'
    )


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
