"""The graph libraries, each in its most favourable ordinary use: one class, the same operations.

`walk` gives the ends of a typed path, in no order. A row asks for an entity by its number; where a library
knows it by its id, that is looked up.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.data import Integers, Relations
from benchmarks.harness import library


class GraphPeer(ABC):
    """What a row may ask of a library."""

    @abstractmethod
    def __init__(self, relations: Relations) -> None:
        """Hold a graph."""

    @abstractmethod
    def walk(self, start: int, path: Sequence[str]) -> Any:
        """Return the distinct ends of a path."""


class Dictionaries(GraphPeer):
    """Plain dictionaries: id -> type -> ids."""

    def __init__(self, relations: Relations) -> None:
        ids = self._ids = relations.ids
        self._entities = {id: {"type": "Thing", "properties": {"rank": rank}} for rank, id in enumerate(ids)}
        self._outgoing: dict[str, dict[str, dict[str, None]]] = {id: {} for id in ids}
        self._incoming: dict[str, dict[str, dict[str, None]]] = {id: {} for id in ids}
        for source, target, kind in relations.triples():
            self._outgoing[ids[source]].setdefault(kind, {})[ids[target]] = None
            self._incoming[ids[target]].setdefault(kind, {})[ids[source]] = None

    def walk(self, start: int, path: Sequence[str]) -> Any:
        reached = {self._ids[start]}
        for kind in path:
            reached = {target for source in reached for target in self._outgoing[source].get(kind, ())}
        return reached

    def entity(self, number: int) -> Any:
        return self._entities[self._ids[number]]

    def relations(self, number: int) -> Any:
        source = self._ids[number]
        return [(source, target, kind) for kind, targets in self._outgoing[source].items() for target in targets]

    def delete(self, number: int) -> None:
        id = self._ids[number]
        for kind, targets in self._outgoing.pop(id).items():
            for target in targets:
                if target != id:
                    del self._incoming[target][kind][id]
        for kind, sources in self._incoming.pop(id).items():
            for source in sources:
                if source != id:
                    del self._outgoing[source][kind][id]
        del self._entities[id]


class Arrays(GraphPeer):
    """numpy: for each type the targets, by source."""

    def __init__(self, relations: Relations) -> None:
        self._entities = relations.entities
        self._starts, self._targets = {}, {}
        for number, kind in enumerate(relations.names):
            chosen = np.flatnonzero(relations.kinds == number)
            order = chosen[np.argsort(relations.sources[chosen], kind="stable")]
            self._targets[kind] = relations.targets[order].astype(np.int32)
            self._starts[kind] = np.searchsorted(relations.sources[order], np.arange(relations.entities + 1))

    def walk(self, start: int, path: Sequence[str]) -> Any:
        reached = np.array([start])
        for kind in path:
            starts, targets = self._starts[kind], self._targets[kind]
            seen = np.zeros(self._entities, bool)
            for source in reached.tolist():
                seen[targets[starts[source] : starts[source + 1]]] = True
            reached = np.flatnonzero(seen)
        return reached


class Networkx(GraphPeer):
    """networkx: a directed multigraph whose keys are the types."""

    def __init__(self, relations: Relations) -> None:
        ids = self._ids = relations.ids
        self._graph = library("networkx").MultiDiGraph()
        self._graph.add_nodes_from((id, {"type": "Thing", "rank": rank}) for rank, id in enumerate(ids))
        self._graph.add_edges_from((ids[source], ids[target], kind) for source, target, kind in relations.triples())

    def walk(self, start: int, path: Sequence[str]) -> Any:
        reached = {self._ids[start]}
        for kind in path:
            edges = self._graph.out_edges(reached, keys=True)
            reached = {target for _, target, key in edges if key == kind}
        return reached

    def entity(self, number: int) -> Any:
        return self._graph.nodes[self._ids[number]]

    def relations(self, number: int) -> Any:
        return list(self._graph.out_edges(self._ids[number], keys=True))

    def delete(self, number: int) -> None:
        self._graph.remove_node(self._ids[number])


class Rustworkx(GraphPeer):
    """rustworkx: a directed graph, a node's payload beside it, the type on the edge."""

    def __init__(self, relations: Relations) -> None:
        self._graph = library("rustworkx").PyDiGraph(multigraph=True)
        self._graph.add_nodes_from([(id, "Thing", rank) for rank, id in enumerate(relations.ids)])
        self._graph.add_edges_from(list(relations.triples()))

    def walk(self, start: int, path: Sequence[str]) -> Any:
        reached = {start}
        for kind in path:
            out_edges = self._graph.out_edges
            reached = {target for source in reached for _, target, key in out_edges(source) if key == kind}
        return reached

    def entity(self, number: int) -> Any:
        return self._graph[number]

    def relations(self, number: int) -> Any:
        return list(self._graph.out_edges(number))

    def delete(self, number: int) -> None:
        self._graph.remove_node(number)


class Igraph(GraphPeer):
    """igraph: a directed graph, with the types and the targets in lists beside it."""

    def __init__(self, relations: Relations) -> None:
        edges = np.stack([relations.sources, relations.targets], axis=1)
        self._graph = library("igraph").Graph(n=relations.entities, edges=edges, directed=True)
        self._ids = relations.ids
        self._graph.vs["name"] = self._ids
        self._graph.es["kind"] = self._kinds = [relations.names[kind] for kind in relations.kinds.tolist()]
        self._targets = relations.targets.tolist()

    def walk(self, start: int, path: Sequence[str]) -> Any:
        reached = {start}
        kinds, targets, incident = self._kinds, self._targets, self._graph.incident
        for kind in path:
            reached = {targets[edge] for source in reached for edge in incident(source) if kinds[edge] == kind}
        return reached

    def entity(self, number: int) -> Any:
        return self._graph.vs[number]["name"]

    def relations(self, number: int) -> Any:
        return [(number, self._targets[edge], self._kinds[edge]) for edge in self._graph.incident(number)]

    def delete(self, number: int) -> None:
        self._graph.delete_vertices(self._ids[number])  # it numbers the others anew


class Sqlite(GraphPeer):
    """sqlite in memory: a table of relations by (source, type, target), joined."""

    def __init__(self, relations: Relations) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._connection.execute(
            "create table r (source int, kind text, target int, primary key (source, kind, target)) without rowid"
        )
        triples = ((source, kind, target) for source, target, kind in relations.triples())
        self._connection.executemany("insert into r values (?, ?, ?)", triples)

    def walk(self, start: int, path: Sequence[str]) -> Any:
        sources = "?"
        for _ in path:
            sources = f"select distinct target from r where source in ({sources}) and kind = ?"  # noqa: S608
        return self._connection.execute(sources, (start, *path)).fetchall()


class Ladybug(GraphPeer):
    """ladybug, which continues kuzu: a database in memory, a table of relations for each type."""

    def __init__(self, relations: Relations) -> None:
        ladybug = library("ladybug")
        self._connection = ladybug.Connection(ladybug.Database(":memory:"))
        nodes = np.arange(relations.entities)
        with TemporaryDirectory() as directory:
            self._copy("node table Thing(id int64, rank int64, primary key (id))", directory, nodes, nodes)
            for number, kind in enumerate(relations.names):
                chosen = relations.kinds == number
                ends = relations.sources[chosen], relations.targets[chosen]
                self._copy(f"rel table {kind}(from Thing to Thing)", directory, *ends)

    def _copy(self, table: str, directory: str, *columns: Integers) -> None:
        file = Path(directory) / "rows.csv"
        np.savetxt(file, np.stack(columns, 1), "%d", ",")
        self._connection.execute(f"create {table}")
        name = table.split()[2].partition("(")[0]
        self._connection.execute(f"copy {name} from '{file}'")

    def walk(self, start: int, path: Sequence[str]) -> Any:
        steps = "".join(f"-[:{kind}]->(n{step}:Thing)" for step, kind in enumerate(path))
        cypher = f"match (s:Thing){steps} where s.id = $start return distinct n{len(path) - 1}.id"
        return self._connection.execute(cypher, {"start": start}).get_all()

    def entity(self, number: int) -> Any:
        return self._connection.execute("match (t:Thing) where t.id = $id return t", {"id": number}).get_all()
