"""The vector libraries, each in its most favourable ordinary use: one class, the same operations.

A peer is made with a directory of its own, in which it finds what `close` has left; with None it
keeps everything in memory, where it can. Rows are numbers; `similarity` is the inner product.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from benchmarks.data import Condition, Corpus, Float32s
from benchmarks.harness import fastest, library

_TOP = 10
_BATCH = 5000
_MANY = 10**9


class VectorPeer(ABC):
    """What a row may ask of a library."""

    modules: ClassVar[tuple[str, ...]]

    @abstractmethod
    def __init__(self, directory: Path | None, dimension: int) -> None:
        """Open what is in the directory, or begin anew."""

    @abstractmethod
    def fill(self, corpus: Corpus) -> None:
        """Store everything."""

    @abstractmethod
    def search(self, query: Float32s, condition: Condition | None = None) -> Any:
        """Find the ten most similar, among those that the condition keeps."""

    def close(self) -> None:  # noqa: B027 - most have nothing left to do
        """Leave everything in the directory."""


class Faiss(VectorPeer):
    """faiss-cpu: a flat index; of the selectors for a filter, and of the kernels for many queries, the fastest."""

    modules = ("faiss",)

    def __init__(self, directory: Path | None, dimension: int) -> None:
        self._faiss = library("faiss")
        self._path = None if directory is None else directory / "index.faiss"
        exists = self._path is not None and self._path.exists()
        self._index = self._faiss.read_index(str(self._path)) if exists else self._faiss.IndexFlatIP(dimension)
        self._selected: dict[Condition, Any] = {}
        self._threshold: int | None = None
        self._corpus: Corpus | None = None

    def fill(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self.add(range(len(corpus.vectors)), corpus.vectors)

    def add(self, rows: Iterable[int], vectors: Float32s) -> None:  # noqa: ARG002 - it numbers them itself
        self._index.add(vectors)

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:
        self._faiss.omp_set_num_threads(1)  # faster here for one query than more
        if condition is None:
            return self._index.search(query[None], _TOP)
        if condition not in self._selected:
            self._selected[condition] = fastest(
                self._selections(condition), lambda selected: self._index.search(query[None], _TOP, params=selected)
            )
        return self._index.search(query[None], _TOP, params=self._selected[condition])

    def _selections(self, condition: Condition) -> list[Any]:
        """Return every selector of what a filter keeps, ready to be used."""
        assert self._corpus
        kept = self._corpus.kept(condition)
        rows = np.flatnonzero(kept)
        selectors = (
            self._faiss.IDSelectorBitmap(np.packbits(kept, bitorder="little")),
            self._faiss.IDSelectorArray(rows),
            self._faiss.IDSelectorBatch(rows),
        )
        return [self._faiss.SearchParameters(sel=selector) for selector in selectors]

    def search_many(self, queries: Float32s) -> Any:
        def search(threshold: int) -> Any:
            self._faiss.cvar.distance_compute_blas_threshold = threshold
            return self._index.search(queries, _TOP)

        if self._threshold is None:
            self._threshold = fastest([20, 1000], search)  # from so many queries its BLAS is used
        return search(self._threshold)

    def close(self) -> None:
        if self._path:
            self._faiss.write_index(self._index, str(self._path))


class Hnswlib(VectorPeer):
    """hnswlib's brute-force index."""

    modules = ("hnswlib",)

    def __init__(self, directory: Path | None, dimension: int) -> None:  # noqa: ARG002
        self._index = library("hnswlib").BFIndex(space="ip", dim=dimension)

    def fill(self, corpus: Corpus) -> None:
        self._index.init_index(max_elements=len(corpus.vectors))
        self._index.add_items(corpus.vectors, np.arange(len(corpus.vectors)))

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:  # noqa: ARG002
        return self._index.knn_query(query, k=_TOP)


class Usearch(VectorPeer):
    """usearch: exact search over an array; in a directory its HNSW index, mapped."""

    modules = ("usearch.index",)

    def __init__(self, directory: Path | None, dimension: int) -> None:
        self._usearch = library("usearch.index")
        self._path = None if directory is None else directory / "index.usearch"
        self._index = None if self._path is None else self._usearch.Index(ndim=dimension, metric="ip")
        if self._index is not None and self._path is not None and self._path.exists():
            self._index.view(str(self._path))

    def fill(self, corpus: Corpus) -> None:
        self._vectors = corpus.vectors
        if self._index is not None:
            self._index.add(np.arange(len(corpus.vectors)), corpus.vectors)

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:  # noqa: ARG002
        if self._index is not None:
            return self._index.search(query, _TOP)
        return self._usearch.search(self._vectors, query, _TOP, self._usearch.MetricKind.IP, exact=True)

    def close(self) -> None:
        if self._index is not None:
            self._index.save(str(self._path))


class SqliteVec(VectorPeer):
    """sqlite-vec: a virtual table."""

    modules = ("sqlite_vec", "apsw")  # not every Python's own sqlite3 loads extensions

    def __init__(self, directory: Path | None, dimension: int) -> None:
        path = ":memory:" if directory is None else str(directory / "vectors.sqlite")
        self._connection = library("apsw").Connection(path)
        self._connection.enable_load_extension(True)  # noqa: FBT003
        self._connection.load_extension(library("sqlite_vec").loadable_path())
        self._connection.execute(
            f"create virtual table if not exists v using vec0(x float[{dimension}] distance_metric=cosine)"
        )

    def fill(self, corpus: Corpus) -> None:
        rows = ((number, vector.tobytes()) for number, vector in enumerate(corpus.vectors))
        with self._connection:
            self._connection.executemany("insert into v (rowid, x) values (?, ?)", rows)

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:  # noqa: ARG002
        sql = "select rowid, distance from v where x match ? and k = ?"
        return self._connection.execute(sql, (query.tobytes(), _TOP)).fetchall()

    def close(self) -> None:
        self._connection.close()


class Duckdb(VectorPeer):
    """duckdb: a table of fixed-size arrays."""

    modules = ("duckdb", "pyarrow")

    def __init__(self, directory: Path | None, dimension: int) -> None:
        self._connection = library("duckdb").connect(":memory:" if directory is None else str(directory / "v.duckdb"))
        self._dimension = dimension

    def fill(self, corpus: Corpus) -> None:
        self._connection.register("arrow", _arrow(range(len(corpus.vectors)), corpus.vectors, corpus.columns))
        sql = f"create table v as select * replace (x::float[{self._dimension}] as x) from arrow"  # noqa: S608
        self._connection.execute(sql)

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:
        where = "" if condition is None else f"where {condition.sql}"
        similarity = f"array_inner_product(x, ?::float[{self._dimension}])"
        sql = f"select number, {similarity} as similarity from v {where} order by similarity desc limit {_TOP}"  # noqa: S608
        return self._connection.execute(sql, [query]).fetchall()

    def close(self) -> None:
        self._connection.close()


class Qdrant(VectorPeer):
    """qdrant-client in local mode, which is exact."""

    modules = ("qdrant_client",)

    def __init__(self, directory: Path | None, dimension: int) -> None:
        self._models = library("qdrant_client.models")
        client = library("qdrant_client").QdrantClient
        self._client = client(":memory:") if directory is None else client(path=str(directory))
        if not self._client.collection_exists("v"):
            parameters = self._models.VectorParams(size=dimension, distance=self._models.Distance.DOT)
            self._client.create_collection("v", vectors_config=parameters)

    def fill(self, corpus: Corpus) -> None:
        for start in range(0, len(corpus.vectors), _BATCH):
            rows = range(start, min(start + _BATCH, len(corpus.vectors)))
            self.add(rows, corpus.vectors[start : rows.stop], corpus.metadata(slice(start, rows.stop)))

    def add(self, rows: Sequence[int], vectors: Float32s, payloads: list[dict[str, Any]] | None = None) -> None:
        batch = self._models.Batch(ids=list(rows), vectors=vectors.tolist(), payloads=payloads)
        self._client.upsert("v", batch)

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:
        wanted = None if condition is None else self._filter(condition)
        return self._client.query_points("v", query=query, limit=_TOP, query_filter=wanted).points

    def _filter(self, condition: Condition) -> Any:
        models = self._models
        test = (
            {"match": models.MatchValue(value=condition.value)}
            if condition.operator == "="
            else {"range": models.Range(lt=condition.value)}
        )
        return models.Filter(must=[models.FieldCondition(key=condition.field, **test)])

    def find(self, condition: Condition, *, vectors: bool) -> Any:
        """Return what matches."""
        return self._client.scroll("v", self._filter(condition), limit=_MANY, with_vectors=vectors)[0]

    def delete(self, condition: Condition) -> None:
        """Delete what matches."""
        self._client.delete("v", self._models.FilterSelector(filter=self._filter(condition)))

    def close(self) -> None:
        self._client.close()


class Lancedb(VectorPeer):
    """lancedb without an index, which is exact; it always keeps files."""

    modules = ("lancedb", "pyarrow")

    def __init__(self, directory: Path, dimension: int) -> None:
        self._database = library("lancedb").connect(str(directory))
        self._dimension = dimension
        names = self._database.table_names()
        self._table = self._database.open_table("v") if "v" in names else None

    def fill(self, corpus: Corpus) -> None:
        table = _arrow(range(len(corpus.vectors)), corpus.vectors, corpus.columns)
        self._table = self._database.create_table("v", table)

    def add(self, rows: Iterable[int], vectors: Float32s) -> None:
        table = _arrow(rows, vectors, {})
        if self._table is None:
            self._table = self._database.create_table("v", table)
        else:
            self._table.add(table)

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:
        assert self._table is not None
        search = self._table.search(query).distance_type("dot").limit(_TOP)
        if condition is not None:
            search = search.where(condition.sql, prefilter=True)
        return search.select(["number", "_distance"]).to_arrow()


class Chroma(VectorPeer):
    """chromadb with its HNSW index, which is approximate."""

    modules = ("chromadb",)

    def __init__(self, directory: Path | None, dimension: int) -> None:  # noqa: ARG002
        chroma = library("chromadb")
        settings = chroma.Settings(anonymized_telemetry=False)
        client = (
            chroma.EphemeralClient(settings)
            if directory is None
            else chroma.PersistentClient(str(directory), settings=settings)
        )
        configuration = {"hnsw": {"space": "ip"}}
        self._collection = client.get_or_create_collection(
            "vectors", configuration=configuration, embedding_function=None
        )

    def fill(self, corpus: Corpus) -> None:
        for start in range(0, len(corpus.vectors), _BATCH):
            rows = range(start, min(start + _BATCH, len(corpus.vectors)))
            self.add(rows, corpus.vectors[start : rows.stop], corpus.metadata(slice(start, rows.stop)))

    def add(self, rows: Iterable[int], vectors: Float32s, metadata: list[dict[str, Any]] | None = None) -> None:
        self._collection.upsert(ids=[str(number) for number in rows], embeddings=vectors, metadatas=metadata)

    def search(self, query: Float32s, condition: Condition | None = None) -> Any:  # noqa: ARG002
        return self._collection.query(query_embeddings=[query], n_results=_TOP, include=["distances"])

    def find(self, condition: Condition, *, vectors: bool) -> Any:
        """Return what matches."""
        parts = ["metadatas", "embeddings"] if vectors else ["metadatas"]
        return self._collection.get(where=condition.ours, include=parts)

    def delete(self, condition: Condition) -> None:
        """Delete what matches."""
        self._collection.delete(where=condition.ours)


def _arrow(rows: Iterable[int], vectors: Float32s, columns: dict[str, list[Any]]) -> Any:
    """Return an Arrow table with the columns number and x, and more."""
    arrow = library("pyarrow")
    x = arrow.FixedSizeListArray.from_arrays(arrow.array(vectors.reshape(-1)), vectors.shape[1])
    return arrow.table({"number": arrow.array(rows), "x": x, **columns})
