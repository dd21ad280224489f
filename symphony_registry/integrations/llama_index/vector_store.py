"""Llama-index's vector store over any provider's."""

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict
from typing_extensions import override

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.backends.vector_store.base import Item, SearchResult
from symphony_registry.errors import InvalidValueError, UnsupportedOperationError
from symphony_registry.integrations.calling import Calls, Store
from symphony_registry.integrations.llama_index.filters import translated

_ID = "_node_id"  # beside what llama-index calls _node_content and _node_type
_DOCUMENT = "ref_doc_id"
_MMR_PREFETCH = 4  # as many times the nodes wanted are looked at, as in llama-index's other stores


class RegistryVectorStore(BasePydanticVectorStore):
    """Keeps nodes with their texts in a vector store, and finds them by similarity and by filters."""

    stores_text: bool = True

    _calls: Calls[VectorStoreBackend] = PrivateAttr()
    _store: VectorStoreBackend = PrivateAttr()

    def __init__(self, store: Store[VectorStoreBackend]) -> None:
        super().__init__(stores_text=True)
        self._calls = Calls(store, BackendType.VECTOR_STORE)
        self._store = self._calls.backend

    @classmethod
    @override
    def class_name(cls) -> str:
        return "RegistryVectorStore"

    @property
    @override
    def client(self) -> VectorStoreBackend:
        return self._store

    @override
    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Store all nodes or none, each in place of what its id had."""
        return self._calls.waited("async_add", self._add, nodes)

    @override
    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        return await self._calls.awaited(self._add, nodes)

    async def _add(self, nodes: Sequence[BaseNode]) -> list[str]:
        items: list[Item] = [
            (node.node_id, node.get_embedding(), node_to_metadata_dict(node) | {_ID: node.node_id}) for node in nodes
        ]
        await self._store.add_many(items)
        return [id for id, _, _ in items]

    @override
    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Return the nodes of the ids, in their order, or those that match the filters, by id; all without either."""
        return self._calls.waited("aget_nodes", self._get_nodes, node_ids, filters)

    @override
    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        return await self._calls.awaited(self._get_nodes, node_ids, filters)

    async def _get_nodes(self, node_ids: list[str] | None, filters: MetadataFilters | None) -> list[BaseNode]:
        if node_ids is not None and filters is None:
            items = await self._store.get_many(node_ids, include_vectors=False)
            return [metadata_dict_to_node(item["metadata"]) for item in items if item]
        found = await self._store.find(metadata_filter=_condition(node_ids, None, filters), include_vectors=False)
        return await here_or_in_thread(
            lambda: [metadata_dict_to_node(item["metadata"]) for item in found], len(found) * ITEM
        )

    @override
    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a document."""
        self._calls.waited("adelete", self._store.delete_many, metadata_filter={_DOCUMENT: ref_doc_id})

    @override
    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        await self._calls.awaited(self._store.delete_many, metadata_filter={_DOCUMENT: ref_doc_id})

    @override
    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Delete the nodes that have the ids and match the filters; raises without either."""
        self._calls.waited("adelete_nodes", self._delete_nodes, node_ids, filters)

    @override
    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        await self._calls.awaited(self._delete_nodes, node_ids, filters)

    async def _delete_nodes(self, node_ids: list[str] | None, filters: MetadataFilters | None) -> None:
        if node_ids is not None and filters is None:
            await self._store.delete_many(node_ids)
        else:
            await self._store.delete_many(metadata_filter=_condition(node_ids, None, filters))

    @override
    def clear(self) -> None:
        self._calls.waited("aclear", self._store.clear)

    @override
    async def aclear(self) -> None:
        await self._calls.awaited(self._store.clear)

    @override
    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Return the most similar nodes; the modes are `default` and `mmr` (with `mmr_threshold`)."""
        return _result(self._calls.waited("aquery", self._search, query), query, **kwargs)

    @override
    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        found = await self._calls.awaited(self._search, query)
        return await asyncio.to_thread(_result, found, query, **kwargs)

    async def _search(self, query: VectorStoreQuery) -> list[SearchResult]:
        if query.mode not in {VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR}:
            raise UnsupportedOperationError(
                f"{self._store} answers no query of the mode {query.mode.value!r}. Use 'default' or 'mmr'."
            )
        if query.query_embedding is None:
            raise InvalidValueError(
                "The query has no embedding. Pass query_embedding, or use a retriever with a model."
            )
        diverse = query.mode is VectorStoreQueryMode.MMR
        return await self._store.search(
            query.query_embedding,
            query.similarity_top_k * (_MMR_PREFETCH if diverse else 1),
            _condition(query.node_ids or None, query.doc_ids or None, query.filters),  # an index passes [] for all
            include_vectors=diverse,
        )


def _condition(
    node_ids: list[str] | None, doc_ids: list[str] | None, filters: MetadataFilters | None
) -> JSONObject | None:
    ids = [{key: {"$in": ids}} for key, ids in {_ID: node_ids, _DOCUMENT: doc_ids}.items() if ids is not None]
    condition = translated(filters)
    return {"$and": [*ids, condition or {}]} if ids else condition


def _result(
    found: list[SearchResult], query: VectorStoreQuery, *, mmr_threshold: float | None = None
) -> VectorStoreQueryResult:
    similarities = [result["similarity"] for result in found]
    if query.mode is VectorStoreQueryMode.MMR:
        similarities, chosen = get_top_k_mmr_embeddings(
            query.query_embedding or [],
            [result.get("vector", []) for result in found],
            similarity_top_k=query.similarity_top_k,
            embedding_ids=list(range(len(found))),
            mmr_threshold=query.mmr_threshold if mmr_threshold is None else mmr_threshold,
        )
        found = [found[index] for index in chosen]
    return VectorStoreQueryResult(
        nodes=[metadata_dict_to_node(result["metadata"]) for result in found],
        similarities=similarities,
        ids=[result["id"] for result in found],
    )
