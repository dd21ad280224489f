"""What the first items of a store look like, so that an agent knows what it can ask for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.filters import escaped
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.transfer.scanning import left_early

_MOST = 100  # items that are looked at
_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}


class Sample(TypedDict):
    """What the first items of a store have; others may have more."""

    sampled: Annotated[int, Field(description="How many items were looked at.")]
    keys: Annotated[
        dict[str, str],
        Field(description="The keys of metadata or properties, as filters take them, each with the type of a value."),
    ]
    entity_types: NotRequired[list[str]]
    relation_types: NotRequired[list[str]]


async def sample(store: StorageBackend) -> Sample:
    """Return what the first items by id have, and the first relations."""
    match store:
        case VectorStoreBackend():
            vectors = await store.find(limit=_MOST, include_vectors=False)
            return _sample(each["metadata"] for each in vectors)
        case CheckpointStoreBackend():
            checkpoints = await store.find_checkpoints(limit=_MOST)
            return _sample(each["metadata"] for each in checkpoints)
    graph = cast("KnowledgeGraphBackend", store)
    entities = await graph.find_entities(limit=_MOST)
    found = _sample(each["properties"] for each in entities)
    found["entity_types"] = sorted({each["type"] for each in entities})
    found["relation_types"] = sorted(await _relation_types(graph))
    return found


def _sample(documents: Iterable[Mapping[str, Any]]) -> Sample:
    found = Sample(sampled=0, keys={})
    for document in documents:
        found["sampled"] += 1
        for key, kind in _keys(document):
            if found["keys"].get(key, "null") == "null":
                found["keys"][key] = kind
    return found


def _keys(document: Mapping[str, Any], parent: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path of each value as filters write it, with its type."""
    for key, value in document.items():
        path = parent + escaped(key)
        if isinstance(value, dict) and value:
            yield from _keys(value, f"{path}.")
        else:
            yield path, _TYPES.get(type(value), "null")


async def _relation_types(graph: KnowledgeGraphBackend) -> set[str]:
    found: set[str] = set()
    seen = 0
    async with left_early(graph.scan_relations()) as relations:
        async for relation in relations:
            found.add(relation["type"])
            seen += 1
            if seen == _MOST:
                break
    return found
