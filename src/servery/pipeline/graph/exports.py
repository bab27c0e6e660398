"""A graph in the formats of other programs: GraphML, csv for Neo4j, RDF, and a picture."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

from servery.errors import UnknownNameError
from servery.evaluation.node_link import Link, draw_graph
from servery.pipeline.graph.graph import Graph
from servery.pipeline.graph.rdf import to_json_ld, to_turtle

MOST_DRAWN = 60
"""Nodes of a picture; those with the most edges are shown."""
_NOT_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 65534, 65535])
"""Characters that XML 1.0 cannot hold (section 2.2)."""


def to_graphml(graph: Graph) -> str:
    """Return the graph as GraphML, as Gephi, yEd and networkx read it."""
    root = ElementTree.Element("graphml", xmlns="http://graphml.graphdrawing.org/xmlns")
    keys = (
        *(("node", name, "string") for name in ("label", "type")),
        *(("edge", name, "string") for name in ("relation", "sentence", "document")),
        ("edge", "score", "double"),
    )
    for owner, name, kind in keys:
        settings = {"id": name, "for": owner, "attr.name": name, "attr.type": kind}
        ElementTree.SubElement(root, "key", settings)
    body = ElementTree.SubElement(root, "graph", edgedefault="directed")
    for node in graph.nodes:
        _with_data(body, "node", {"id": node.id}, {"label": node.label, "type": node.type})
    for edge in graph.edges:
        best = edge.sources[0]
        told = {
            "relation": edge.relation,
            "score": f"{edge.score:.4f}",
            "sentence": best.sentence,
            "document": best.document,
        }
        _with_data(body, "edge", {"source": edge.source, "target": edge.target}, told)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _with_data(parent: ElementTree.Element, tag: str, settings: dict[str, str], data: dict[str, str]) -> None:
    element = ElementTree.SubElement(parent, tag, settings)
    for name, value in data.items():
        ElementTree.SubElement(element, "data", key=name).text = value.translate(_NOT_XML)


def to_neo4j(graph: Graph) -> dict[str, str]:
    """Return `nodes.csv` and `relationships.csv`, as `neo4j-admin database import` reads them."""
    nodes = [(node.id, node.label, ";".join(node.aliases), node.type) for node in graph.nodes]
    relationships = [
        (e.source, e.target, e.relation, f"{e.score:.4f}", e.sources[0].sentence, e.sources[0].document)
        for e in graph.edges
    ]
    return {
        "nodes.csv": _csv(("id:ID", "name", "aliases:string[]", ":LABEL"), nodes),
        "relationships.csv": _csv(
            (":START_ID", ":END_ID", ":TYPE", "score:double", "sentence", "document"), relationships
        ),
    }


def _csv(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    written = StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return written.getvalue()


def to_svg(graph: Graph) -> str:
    """Return a picture of the nodes with the most edges, with its own colours."""
    degree = {node.id: 0 for node in graph.nodes}
    for edge in graph.edges:
        degree[edge.source] += 1
        degree[edge.target] += 1
    shown = set(sorted(degree, key=lambda identifier: -degree[identifier])[:MOST_DRAWN])
    labels = graph.labels()
    links = [
        Link(labels[edge.source], edge.relation, labels[edge.target], note=edge.sources[0].sentence)
        for edge in graph.edges
        if {edge.source, edge.target} <= shown
    ]
    return draw_graph(links, is_alone=True)


FORMATS: dict[str, tuple[str, Callable[[Graph], str]]] = {
    "turtle": (".ttl", to_turtle),
    "json-ld": (".jsonld", to_json_ld),
    "graphml": (".graphml", to_graphml),
    "svg": (".svg", to_svg),
}
"""Name of a format of one file: its ending and what writes it."""


def export_graph(graph: Graph, format_name: str, path: Path) -> list[Path]:
    """Write a graph in another format.

    Args:
        graph: What to write.
        format_name: "turtle", "json-ld", "graphml", "svg", or "neo4j": two csv files.
        path: The file; of "neo4j" the folder.

    Returns:
        What was written.

    Raises:
        UnknownNameError: There is no such format.
        MissingExtraError: RDF is asked for and Oxigraph is not installed.
    """
    if format_name == "neo4j":
        path.mkdir(parents=True, exist_ok=True)
        return [_written(path / name, text) for name, text in to_neo4j(graph).items()]
    if format_name not in FORMATS:
        raise UnknownNameError.among("format", format_name, [*FORMATS, "neo4j"])
    return [_written(path, FORMATS[format_name][1](graph))]


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
