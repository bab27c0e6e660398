"""A knowledge graph that knows where each of its edges comes from."""

from __future__ import annotations

from pathlib import Path

import msgspec

from servery.errors import DataError, DataNotFoundError


class Evidence(msgspec.Struct, frozen=True):
    """Where an edge was read: the document, the sentence, and how sure the model was of it, from 0 to 1."""

    document: str
    sentence: str
    score: float


class Node(msgspec.Struct, frozen=True):
    """An entity.

    Attributes:
        id: Short and unique within the graph.
        label: Its longest name.
        type: What the tagging model calls it, e.g. "person"; "entity" where nothing said more.
        aliases: Its other names, sorted.
        sources: Documents that name it.
    """

    id: str
    label: str
    type: str
    aliases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class Edge(msgspec.Struct, frozen=True):
    """A relation between two entities.

    Attributes:
        source: Id of the node it starts from.
        relation: What connects the two.
        target: Id of the node it leads to.
        score: The highest of its evidence.
        sources: Every sentence that says so.
    """

    source: str
    relation: str
    target: str
    score: float
    sources: tuple[Evidence, ...]


class Graph(msgspec.Struct, frozen=True):
    """Nodes and edges, and what to know about how they were made."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()

    def labels(self) -> dict[str, str]:
        """Return the nodes' labels by their ids."""
        return {node.id: node.label for node in self.nodes}

    def matching(self, head: str = "", relation: str = "", tail: str = "") -> list[Edge]:
        """Return the edges whose parts are called so, the surest first; an empty part may be anything.

        Args:
            head: Id, label or alias of the node an edge starts from.
            relation: What connects the two.
            tail: Id, label or alias of the node an edge leads to.
        """
        names = {node.id: {n.casefold() for n in (node.id, node.label, *node.aliases)} for node in self.nodes}
        found = [
            edge
            for edge in self.edges
            if (not head or head.casefold() in names[edge.source])
            and (not relation or relation.casefold() == edge.relation.casefold())
            and (not tail or tail.casefold() in names[edge.target])
        ]
        return sorted(found, key=lambda edge: -edge.score)

    def save(self, path: Path) -> Path:
        """Write the graph as JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
        return path


def load_graph(path: Path) -> Graph:
    """Read a graph that `save` wrote.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It holds no graph, or an edge names a node that is not there.
    """
    try:
        graph = msgspec.json.decode(path.read_bytes(), type=Graph)
    except FileNotFoundError as error:
        raise DataNotFoundError(
            f"There is no file {path}.",
            hint="make one: servery graph build DOCUMENTS --relations MODEL",
            param="graph",
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{path.name} holds no graph: {error}.", param="graph") from error
    known = {node.id for node in graph.nodes}
    for edge in graph.edges:
        if not {edge.source, edge.target} <= known:
            raise DataError(
                f"{path.name}: an edge names a node that is not there: {edge.source}, {edge.target}."
            )
    return graph
