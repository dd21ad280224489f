"""Search by meaning: an item's texts as vectors, each of which knows the revision of the item that it was made from."""

from collections.abc import Iterable, Mapping
from itertools import chain, islice
from typing import NamedTuple

from langgraph.store.base import IndexConfig, Op, PutOp, SearchOp, get_text_at_path

from symphony_registry.backends.checkpoint_store import Checkpoint, CheckpointStoreBackend
from symphony_registry.backends.vector_store import SearchResult, VectorStoreBackend
from symphony_registry.integrations.langgraph.embedding import Embedding, Vector
from symphony_registry.integrations.langgraph.items import Record, is_alive, item_id, now, record_of
from symphony_registry.integrations.langgraph.matching import has_shape, labels_filter, metadata_filter

_TRIES = 5  # of a search, while items that it found are being replaced
_ABANDONED = 3600.0  # seconds after which the item of a vector is not awaited any more


class Scored(NamedTuple):
    """An item's checkpoint, and the similarity of its most similar text."""

    checkpoint: Checkpoint
    score: float


class VectorIndex:
    """The vectors of a store's items.

    They are written before the item and removed after it. One of a revision that no
    item has belongs to a write that is under way, or that never ended: it is not
    found, and the first search that meets it an hour later removes it.
    """

    def __init__(self, items: CheckpointStoreBackend, vectors: VectorStoreBackend, config: IndexConfig) -> None:
        self._items = items
        self._vectors = vectors
        self._embedding = Embedding(config)
        self._fields = config.get("fields") or ["$"]

    async def embedded(self, ops: Iterable[Op]) -> list[list[Vector]]:
        """Return the vectors that each operation needs: of an item's texts, or of a query."""
        ops = list(ops)
        texts = [self._texts(op) if isinstance(op, PutOp) else [] for op in ops]
        queries = [[op.query] if isinstance(op, SearchOp) and op.query else [] for op in ops]
        of_texts = iter(await self._embedding.texts(list(chain(*texts))))
        of_queries = iter(await self._embedding.queries(chain(*queries)))
        return [
            [*islice(of_texts, len(own)), *islice(of_queries, len(query))]
            for own, query in zip(texts, queries, strict=True)
        ]

    def _texts(self, put: PutOp) -> list[str]:
        if put.value is None or put.index is False:
            return []
        paths = self._fields if put.index is None else put.index
        return [text for path in paths for text in get_text_at_path(put.value, path)]

    async def add(self, vectors: Iterable[tuple[Record, list[Vector]]]) -> None:
        """Store the vectors of items' texts."""
        await self._vectors.add_many(
            (
                _vector_id(record, place),
                vector,
                {
                    "namespace": {str(place): label for place, label in enumerate(record["namespace"])},
                    "item": item_id(tuple(record["namespace"]), record["key"]),
                    "revision": record["revision"],
                    "value": record["value"],
                    "written": now(),
                },
            )
            for record, own in vectors
            for place, vector in enumerate(own)
        )

    async def remove(self, records: Iterable[Record]) -> None:
        """Delete the vectors of revisions that are no more."""
        if ids := [_vector_id(record, place) for record in records for place in range(record["vectors"])]:
            await self._vectors.delete_many(ids)

    async def search(self, op: SearchOp, query: Vector) -> list[Scored]:
        """Return the current items that are most similar, `offset + limit` of them if there are so many."""
        selected = metadata_filter(op.filter, *labels_filter(op.namespace_prefix))
        wanted = count = op.offset + op.limit
        tries = 1
        while True:
            found = await self._vectors.search(query, count, selected, include_vectors=False)
            scored, replaced = await self._current(found, op.filter)
            if replaced and tries < _TRIES:
                tries += 1
            elif len(scored) >= wanted or len(found) < count:
                return scored
            else:
                count *= 4  # several were of one item, or of none

    async def _current(
        self, found: list[SearchResult], wanted: Mapping[str, object] | None
    ) -> tuple[list[Scored], bool]:
        """Return the items whose vectors these are, and whether others were replaced between the two reads."""
        best: dict[str, float] = {}
        ids = list(dict.fromkeys(result["metadata"]["item"] for result in found))
        checkpoints = {id: each for id, each in zip(ids, await self._items.get_checkpoints(ids), strict=True) if each}
        others: set[str] = set()
        abandoned = []
        for result in found:
            id, revision = result["metadata"]["item"], result["metadata"]["revision"]
            if id in checkpoints and checkpoints[id]["metadata"]["revision"] == revision:
                best.setdefault(id, result["similarity"])
            elif result["metadata"]["written"] < now() - _ABANDONED:
                abandoned.append(result["id"])
            elif id in checkpoints and checkpoints[id]["metadata"]["vectors"]:
                others.add(id)
        if abandoned:
            await self._vectors.delete_many(abandoned)
        current = [Scored(checkpoints[id], score) for id, score in best.items()]
        return [each for each in current if _is_wanted(record_of(each.checkpoint), wanted)], not others <= best.keys()


def _is_wanted(record: Record, wanted: Mapping[str, object] | None) -> bool:
    return is_alive(record) and has_shape(record["value"], wanted)


def _vector_id(record: Record, place: int) -> str:
    return f"{item_id(tuple(record['namespace']), record['key'])}~{record['revision']}{place}"
