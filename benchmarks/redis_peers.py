"""What one would write by hand for Redis: plain commands on the same client; and redisvl.

By hand, nothing of what the contract promises beyond the plain case is done: checks of what is given, an exact order of
equals, filters on any key, a lost connection, a dimension that is fixed by the first vector.
"""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import orjson

from benchmarks.data import Float32s
from benchmarks.harness import library
from benchmarks.postgres_data import Filter, Packages

_BATCH = 1_000
# What is searched by a filter of the benchmark, as Redis says it.
_WANTED = {
    "all": "*",
    "50 %": "@arch:{{{arch}}}",
    "5 %": "@section:{{{section}}}",
    "5 %, a range": "@size_kb:[-inf ({size_kb}]",
    "0.1 %": "@tags:{{{tags}}}",
}


def _query(wanted: Filter) -> str:
    values = {
        key: next(iter(value.values())) if isinstance(value, dict) else value
        for key, value in (wanted.ours or {}).items()
    }
    escaped = {key: value.replace(":", r"\:") if isinstance(value, str) else value for key, value in values.items()}
    return _WANTED[wanted.share].format(**escaped)


def _fields(vector: Float32s, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "vector": vector.tobytes(),
        "document": orjson.dumps(document),
        "arch": document["arch"],
        "section": document["section"],
        "size_kb": document["size_kb"],
        "tags": ",".join(document["tags"]),
    }


class InRedis:
    """The commands for each piece of work."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def make_index(self) -> None:
        """Make an index of hashes, of the four keys that are filtered by."""
        vector = "vector VECTOR FLAT 6 TYPE FLOAT32 DIM 384 DISTANCE_METRIC COSINE"
        fields = f"{vector} arch TAG section TAG size_kb NUMERIC tags TAG"
        command = f"FT.CREATE packages ON HASH PREFIX 1 package: SCHEMA {fields}"
        await self._client.execute_command(*command.split())

    async def add(self, id: str, vector: Float32s, document: dict[str, Any]) -> None:
        """Add or replace a vector."""
        await self._client.hset(f"package:{id}", mapping=_fields(vector, document))

    async def add_many(self, items: Packages) -> None:
        """Add or replace vectors, many in one transaction."""
        for start in range(0, len(items.ids), _BATCH):
            pipe = self._client.pipeline(transaction=True)
            for row in range(start, min(start + _BATCH, len(items.ids))):
                pipe.hset(f"package:{items.ids[row]}", mapping=_fields(items.vectors[row], items.documents[row]))
            await pipe.execute()

    async def search(self, vector: Float32s, count: int, wanted: Filter) -> list[tuple[str, float, Any, list[float]]]:
        """Return the most similar, with their metadata and vectors."""
        policy = "" if wanted.ours is None else " HYBRID_POLICY ADHOC_BF"
        query = f"({_query(wanted)})=>[KNN {count} @vector $vector{policy} AS distance]"
        parts = ("PARAMS", 2, "vector", vector.tobytes(), "SORTBY", "distance", "LIMIT", 0, count)
        returned = ("RETURN", 3, "distance", "document", "vector", "DIALECT", 2)
        _, *found = await self._client.execute_command("FT.SEARCH", "packages", query, *parts, *returned)
        results = []
        for key, values in zip(found[::2], found[1::2], strict=True):
            fields = dict(zip(values[::2], values[1::2], strict=True))
            numbers = np.frombuffer(fields[b"vector"], np.float32).tolist()
            similarity = 1 - float(fields[b"distance"])
            results.append(
                (key.decode().removeprefix("package:"), similarity, orjson.loads(fields[b"document"]), numbers)
            )
        return results

    async def fill_graph(self, items: Packages) -> None:
        """Add the entities and relations."""
        pipe = self._client.pipeline(transaction=False)
        for id, document in zip(items.ids, items.documents, strict=True):
            pipe.hset("entities", id, orjson.dumps(document))
        for source, kind, target in items.relations:
            pipe.sadd(f"{kind}:{source}", target)
        await pipe.execute()

    async def walk(self, start: str, path: Sequence[str]) -> list[Any]:
        """Return the ends of a path, in order."""
        near = [start]
        for kind in path:
            near = [id.decode() for id in await self._client.sunion([f"{kind}:{id}" for id in near])]
        near.sort()
        return [
            (id, orjson.loads(found))
            for id, found in zip(near, await self._client.hmget("entities", near), strict=True)
        ]

    async def save(self, id: str, data: Any) -> None:
        """Save a checkpoint as the bytes of its JSON text."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hset("checkpoints", id, orjson.dumps(data))
        pipe.zadd("saved", {id: time.time()})
        await pipe.execute()

    async def load(self, id: str) -> Any:
        """Load a checkpoint."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hget("checkpoints", id)
        pipe.zscore("saved", id)
        data, saved = await pipe.execute()
        return id, saved, orjson.loads(data)


class Redisvl:
    """redisvl's index over the same hashes."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        fields = [
            {"name": "document", "type": "text", "attrs": {"no_index": True, "sortable": True}},
            {"name": "arch", "type": "tag"},
            {"name": "section", "type": "tag"},
            {"name": "size_kb", "type": "numeric"},
            {"name": "tags", "type": "tag"},
            {
                "name": "vector",
                "type": "vector",
                "attrs": {"dims": 384, "algorithm": "flat", "datatype": "float32", "distance_metric": "cosine"},
            },
        ]
        index = {"name": "redisvl", "prefix": "redisvl", "storage_type": "hash"}
        self._index = library("redisvl.index").AsyncSearchIndex.from_dict(
            {"index": index, "fields": fields}, redis_url=url
        )
        stack.push_async_callback(self._index.disconnect)
        self._query, self._filter = (
            library("redisvl.query").VectorQuery,
            library("redisvl.query.filter").FilterExpression,
        )

    async def make_index(self) -> None:
        """Make the index."""
        await self._index.create(overwrite=True)

    async def add(self, id: str, vector: Float32s, document: dict[str, Any]) -> None:
        """Add or replace a vector."""
        await self._index.load([{"id": id, **_fields(vector, document)}], id_field="id")

    async def add_many(self, items: Packages) -> None:
        """Add or replace vectors."""
        rows = zip(items.ids, items.vectors, items.documents, strict=True)
        await self._index.load(
            [{"id": id, **_fields(vector, document)} for id, vector, document in rows], id_field="id"
        )

    async def search(self, vector: Float32s, count: int, wanted: Filter) -> list[Any]:
        """Return the most similar, with their metadata and vectors."""
        query = self._query(
            vector=vector.tobytes(),
            vector_field_name="vector",
            return_fields=["document", "vector"],
            num_results=count,
            filter_expression=None if wanted.ours is None else self._filter(_query(wanted)),
        )
        found = await self._index.query(query)
        return [(each["id"], each["vector_distance"], orjson.loads(each["document"]), each["vector"]) for each in found]
