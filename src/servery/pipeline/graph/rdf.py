"""A graph as RDF: written as Turtle or JSON-LD, and asked in SPARQL through Oxigraph."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from servery.errors import InputError, MissingExtraError
from servery.pipeline.graph.graph import Graph

BASE = "urn:servery:graph:"
"""What the names of nodes and relations begin with; a graph is nobody's website."""
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_XSD = "http://www.w3.org/2001/XMLSchema#"
PREFIXES = {
    "e": f"{BASE}entity:",
    "r": f"{BASE}relation:",
    "g": BASE,
    "rdf": _RDF,
    "rdfs": _RDFS,
    "xsd": _XSD,
}
"""May be used in questions without being declared."""
MOST_ROWS = 10_000
_SERVICE = re.compile(r"(?<![:\w?$])service\b\s*(?:silent\b)?\s*[<?$\w:]", re.IGNORECASE)
"""The clause that would ask another server."""


def to_turtle(graph: Graph) -> str:
    """Return the graph as Turtle."""
    return _dumped(graph, "TURTLE")


def to_json_ld(graph: Graph) -> str:
    """Return the graph as JSON-LD."""
    return _dumped(graph, "JSON_LD")


def select(graph: Graph, query: str) -> list[dict[str, str]]:
    """Return the rows that a SPARQL query finds, at most 10,000, each variable as text.

    An entity is e:ID with rdfs:label, a relation r:NAME. Each edge is besides a statement with rdf:subject,
    rdf:predicate, rdf:object, g:score, g:sentence and g:document.

    Args:
        graph: What to ask.
        query: SELECT or ASK; the prefixes e, r, g, rdf, rdfs and xsd are declared.

    Raises:
        MissingExtraError: Oxigraph is not installed.
        InputError: The query cannot be read, or reaches out of the graph.
    """
    found = _run(graph, query)
    if hasattr(found, "variables"):
        names = [variable.value for variable in found.variables]
        rows = []
        for solution in found:
            rows.append({name: _text(solution[name]) for name in names})
            if len(rows) == MOST_ROWS:
                break
        return rows
    if isinstance(found, bool) or type(found).__name__ == "QueryBoolean":
        return [{"answer": "true" if found else "false"}]
    raise InputError(
        "Only SELECT and ASK are answered.",
        hint="SELECT ?who WHERE { ?who r:works_for ?firm }",
        param="query",
    )


def _run(graph: Graph, query: str) -> Any:
    if _SERVICE.search(query):
        raise InputError("SERVICE asks another server; a graph answers from itself only.", param="query")
    store = _store(graph)
    try:
        return store.query(query, prefixes=PREFIXES)
    except (SyntaxError, ValueError) as error:
        raise InputError(f"The query cannot be read: {error}.", param="query") from error


def _store(graph: Graph) -> Any:
    oxigraph = _oxigraph()
    store = oxigraph.Store()
    store.extend(_quads(graph, oxigraph))
    return store


def _dumped(graph: Graph, name: str) -> str:
    oxigraph = _oxigraph()
    written = _store(graph).dump(
        format=getattr(oxigraph.RdfFormat, name), from_graph=oxigraph.DefaultGraph(), prefixes=PREFIXES
    )
    return bytes(written).decode()


def _quads(graph: Graph, oxigraph: Any) -> Iterator[Any]:
    name, text = oxigraph.NamedNode, oxigraph.Literal

    def quad(subject: Any, predicate: str, value: Any) -> Any:
        return oxigraph.Quad(subject, name(predicate), value)

    for node in graph.nodes:
        subject = name(entity_iri(node.id))
        yield quad(subject, f"{_RDFS}label", text(node.label))
        yield quad(subject, f"{_RDF}type", name(f"{BASE}type:{_safe(node.type)}"))
        for alias in node.aliases:
            yield quad(subject, f"{BASE}alias", text(alias))
    for number, edge in enumerate(graph.edges):
        head, relation, tail = (
            name(entity_iri(edge.source)),
            name(relation_iri(edge.relation)),
            name(entity_iri(edge.target)),
        )
        yield oxigraph.Quad(head, relation, tail)
        for place, evidence in enumerate(edge.sources):
            statement = name(f"{BASE}statement:{number}.{place}")
            yield quad(statement, f"{_RDF}type", name(f"{_RDF}Statement"))
            for part, value in (("subject", head), ("predicate", relation), ("object", tail)):
                yield quad(statement, _RDF + part, value)
            yield quad(statement, f"{BASE}score", text(float(evidence.score)))
            yield quad(statement, f"{BASE}sentence", text(evidence.sentence))
            yield quad(statement, f"{BASE}document", text(evidence.document))


def entity_iri(identifier: str) -> str:
    """Return what a node is called in RDF."""
    return f"{BASE}entity:{_safe(identifier)}"


def relation_iri(relation: str) -> str:
    """Return what a relation is called in RDF.

    >>> relation_iri("works for")
    'urn:servery:graph:relation:works_for'
    """
    return f"{BASE}relation:{_safe('_'.join(relation.split()))}"


def _safe(text: str) -> str:
    # Letters of all scripts may stand in an IRI (RFC 3987); spaces, quotes and brackets may not.
    return "".join(letter if letter.isalnum() or letter in "_-." else quote(letter) for letter in text)


def _text(value: Any) -> str:
    return "" if value is None else str(value.value)


def _oxigraph() -> Any:
    if importlib.util.find_spec("pyoxigraph") is None:
        raise MissingExtraError.named("graph")
    import pyoxigraph

    return pyoxigraph
