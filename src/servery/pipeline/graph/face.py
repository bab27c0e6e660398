"""Knowledge graphs from Python: build, ask, export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from servery.data.text_encoding import decode, read_bytes
from servery.pipeline.graph import build as building
from servery.pipeline.graph import exports
from servery.pipeline.graph.documents import Document, read_documents
from servery.pipeline.graph.graph import Graph, load_graph
from servery.pipeline.graph.rdf import select
from servery.pipeline.workspace import Workspace
from servery.progress import Progress, Silence


def build_graph(
    documents: Path | str | Mapping[str, str],
    relations: str,
    *,
    tagger: str = "",
    names: Path | tuple[str, ...] | None = None,
    aliases: Mapping[str, str] | None = None,
    least_score: float = 0.5,
    workspace: Workspace | None = None,
    progress: Progress | None = None,
) -> Graph:
    """Return the graph of what documents say, every edge with the sentences it was read in.

    Args:
        documents: A text file, a table with a column text, a folder of them, or texts by their names.
        relations: The model that tells what connects two marked names, of the task relation-extraction.
        tagger: The model that finds names, of the task tagging; without one capitalised words are names.
        names: Names to find besides, or a file with one on each line.
        aliases: Another name to the name it stands for.
        least_score: Edges of which the model is less sure are left out.
        workspace: Where the models are registered; None opens the default data home.
        progress: Hears the news.

    Raises:
        ModelNotFoundError: There is no model of that name.
        DataError: There is no document.
        InputError: A model is for another task.
    """
    read = (
        [Document(name, text) for name, text in documents.items()]
        if isinstance(documents, Mapping)
        else read_documents(Path(documents))
    )
    listed = decode(read_bytes(names), names.name)[0].splitlines() if isinstance(names, Path) else names or ()
    means = building.Means(
        relations, tagger, tuple(listed), dict(aliases or {}), least_score, workspace, progress or Silence()
    )
    return building.build_graph(read, means)


def query_graph(
    graph: Graph | Path | str, sparql: str = "", *, head: str = "", relation: str = "", tail: str = ""
) -> list[dict[str, Any]]:
    """Return what fits a pattern, or the rows that a SPARQL query finds.

    Args:
        graph: A graph or its file.
        sparql: SELECT or ASK, see `pipeline.graph.rdf.select`; empty to ask by the pattern.
        head: Id, label or alias of the node an edge starts from; empty for any.
        relation: What connects the two; empty for any.
        tail: Id, label or alias of the node an edge leads to; empty for any.

    Raises:
        InputError: The query cannot be read.
        MissingExtraError: SPARQL is asked and Oxigraph is not installed.
    """
    read = _read(graph)
    if sparql:
        return list(select(read, sparql))
    labels = read.labels()
    return [
        {
            "head": labels[edge.source],
            "relation": edge.relation,
            "tail": labels[edge.target],
            "score": round(edge.score, 3),
            "document": edge.sources[0].document,
            "sentence": edge.sources[0].sentence,
        }
        for edge in read.matching(head, relation, tail)
    ]


def export_graph(graph: Graph | Path | str, format_name: str, path: Path | str) -> list[Path]:
    """Write a graph as "turtle", "json-ld", "graphml", "svg" or "neo4j" (a folder of two csv files).

    Raises:
        UnknownNameError: There is no such format.
        MissingExtraError: RDF is asked for and Oxigraph is not installed.
    """
    return exports.export_graph(_read(graph), format_name, Path(path))


def _read(graph: Graph | Path | str) -> Graph:
    return graph if isinstance(graph, Graph) else load_graph(Path(graph))
