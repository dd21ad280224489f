"""Llama-index's property graph store over any provider's knowledge graph."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.graph_stores.types import (
    TRIPLET_SOURCE_KEY,
    EntityNode,
    LabelledNode,
    PropertyGraphStore,
    Relation,
    Triplet,
)
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery
from typing_extensions import override

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.filters import escaped, parse_filter
from symphony_registry.backends.knowledge_graph import KnowledgeGraphBackend
from symphony_registry.backends.knowledge_graph.base import Relation as StoredRelation
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.errors import UnsupportedOperationError
from symphony_registry.integrations.calling import Calls, Store
from symphony_registry.integrations.llama_index.nodes import entity, joined, labelled, nearest
from symphony_registry.integrations.llama_index.vector_store import RegistryVectorStore

_LEAST_ENTITIES = 1000  # that are looked at, since relations to ignore are known only when they are there


class RegistryPropertyGraphStore(PropertyGraphStore):
    """Keeps nodes and relations in a knowledge graph, and the vectors of entities, if they are to be found by them.

    A node's id is the entity's, its label the entity's type; what an application
    stores in the graph itself is found as entities. Embeddings are not given back.
    """

    def __init__(
        self, store: Store[KnowledgeGraphBackend], vector_store: Store[VectorStoreBackend] | None = None
    ) -> None:
        self._calls = Calls(store, BackendType.KNOWLEDGE_GRAPH)
        self._graph = self._calls.backend
        self._vectors = None if vector_store is None else RegistryVectorStore(vector_store)
        self.supports_vector_queries = vector_store is not None

    @property
    @override
    def client(self) -> KnowledgeGraphBackend:
        return self._graph

    @override
    def upsert_nodes(self, nodes: Sequence[LabelledNode]) -> None:
        """Store all nodes or none, then their vectors; one that comes without an embedding keeps what it has."""
        self._calls.waited("aupsert_nodes", self._upsert_nodes, nodes)

    @override
    async def aupsert_nodes(self, nodes: Sequence[LabelledNode]) -> None:
        await self._calls.awaited(self._upsert_nodes, nodes)

    async def _upsert_nodes(self, nodes: Sequence[LabelledNode]) -> None:
        await self._graph.add_entities([entity(node) for node in nodes])
        if self._vectors is not None:
            entities = [node for node in nodes if isinstance(node, EntityNode)]
            there = await self._vectors.client.get_many([node.id for node in entities if node.embedding is None])
            kept = {item["id"]: item.get("vector") for item in there if item is not None}
            embedded = [(node, kept.get(node.id) if node.embedding is None else node.embedding) for node in entities]
            await self._vectors.async_add(  # those with a vector that was there too: filters ask of new properties
                [
                    TextNode(id_=node.id, text=str(node), metadata=node.properties, embedding=embedding)
                    for node, embedding in embedded
                    if embedding is not None
                ]
            )

    @override
    def upsert_relations(self, relations: list[Relation]) -> None:
        """Store all relations or none; an end that is not there becomes an entity of that name."""
        self._calls.waited("aupsert_relations", self._upsert_relations, relations)

    @override
    async def aupsert_relations(self, relations: list[Relation]) -> None:
        await self._calls.awaited(self._upsert_relations, relations)

    async def _upsert_relations(self, relations: list[Relation]) -> None:
        ends = {id for relation in relations for id in (relation.source_id, relation.target_id)}
        await self._graph.add_entities([(id, "entity", None) for id in sorted(ends)], if_absent=True)
        await self._graph.add_relations(
            [(relation.source_id, relation.target_id, relation.id, relation.properties) for relation in relations]
        )

    @override
    def get(self, properties: dict[str, Any] | None = None, ids: list[str] | None = None) -> list[LabelledNode]:
        """Return the nodes that have one of the ids, in their order, and one of the properties; all without either."""
        return self._calls.waited("aget", self._get, properties, ids)

    @override
    async def aget(self, properties: dict[str, Any] | None = None, ids: list[str] | None = None) -> list[LabelledNode]:
        return await self._calls.awaited(self._get, properties, ids)

    async def _get(self, properties: dict[str, Any] | None, ids: list[str] | None) -> list[LabelledNode]:
        has_one = _has_one(properties)
        if ids is None:
            entities = await self._graph.find_entities(property_filter=has_one, limit=None)
            return await here_or_in_thread(lambda: [labelled(each) for each in entities], len(entities) * ITEM)
        matches = parse_filter(has_one).matches
        found = await self._graph.get_entities(list(dict.fromkeys(ids)))
        return [labelled(each) for each in found if each is not None and matches(each["properties"])]

    @override
    def get_triplets(
        self,
        entity_names: list[str] | None = None,
        relation_names: list[str] | None = None,
        properties: dict[str, Any] | None = None,
        ids: list[str] | None = None,
    ) -> list[Triplet]:
        """Return the triplets for which everything holds that is asked, by their ids; none if nothing is asked.

        An end is one of `entity_names`, one of `ids`, the relation is of
        `relation_names`, and the relation or an end has one of the properties.
        Without names or ids of entities, all relations are looked at.
        """
        return self._calls.waited("aget_triplets", self._get_triplets, entity_names, relation_names, properties, ids)

    @override
    async def aget_triplets(
        self,
        entity_names: list[str] | None = None,
        relation_names: list[str] | None = None,
        properties: dict[str, Any] | None = None,
        ids: list[str] | None = None,
    ) -> list[Triplet]:
        return await self._calls.awaited(self._get_triplets, entity_names, relation_names, properties, ids)

    async def _get_triplets(
        self,
        entity_names: list[str] | None,
        relation_names: list[str] | None,
        properties: dict[str, Any] | None,
        ids: list[str] | None,
    ) -> list[Triplet]:
        ends = [set(given) for given in (entity_names, ids) if given]
        if ends:
            part = await self._graph.subgraph(ends[0], relation_types=relation_names or None, limit=None)
            entities, relations = part["entities"], part["relations"]
        elif relation_names or properties:
            relations = [each async for each in self._graph.scan_relations(relation_types=relation_names or None)]
            around = {id for each in relations for id in (each["from_id"], each["to_id"])}
            entities = [found for found in await self._graph.get_entities(around) if found is not None]
        else:
            return []
        has_one = parse_filter(_has_one(properties)).matches
        there = {found["id"]: found for found in entities}

        def asked(relation: StoredRelation) -> bool:
            around = {relation["from_id"], relation["to_id"]}
            return (
                around <= there.keys()  # what was deleted since the relations were read, is not
                and all(around & some for some in ends)
                and (has_one(relation["properties"]) or any(has_one(there[id]["properties"]) for id in around))
            )

        return await here_or_in_thread(lambda: joined(filter(asked, relations), there), len(relations) * ITEM)

    @override
    def get_rel_map(
        self,
        graph_nodes: list[LabelledNode],
        depth: int = 2,
        limit: int = 30,
        ignore_rels: list[str] | None = None,
    ) -> list[Triplet]:
        """Return the triplets that touch a node fewer than `depth` outgoing steps away, the nearest first.

        They are read by one call.
        """
        return self._calls.waited("aget_rel_map", self._get_rel_map, graph_nodes, depth, limit, ignore_rels)

    @override
    async def aget_rel_map(
        self,
        graph_nodes: list[LabelledNode],
        depth: int = 2,
        limit: int = 30,
        ignore_rels: list[str] | None = None,
    ) -> list[Triplet]:
        return await self._calls.awaited(self._get_rel_map, graph_nodes, depth, limit, ignore_rels)

    async def _get_rel_map(
        self, graph_nodes: list[LabelledNode], depth: int, limit: int, ignore_rels: list[str] | None
    ) -> list[Triplet]:
        starts = [node.id for node in graph_nodes]
        part = await self._graph.subgraph(starts, depth, limit=max(limit, _LEAST_ENTITIES))
        relations = await here_or_in_thread(
            lambda: nearest(part["relations"], starts, depth), len(part["relations"]) * ITEM
        )
        chosen = [each for each in relations if each["type"] not in (ignore_rels or [])][:limit]
        return joined(chosen, {found["id"]: found for found in part["entities"]})

    @override
    def delete(
        self,
        entity_names: list[str] | None = None,
        relation_names: list[str] | None = None,
        properties: dict[str, Any] | None = None,
        ids: list[str] | None = None,
    ) -> None:
        """Delete the nodes of the names and ids and those with one of the properties, and the relations so named."""
        self._calls.waited("adelete", self._delete, entity_names, relation_names, properties, ids)

    @override
    async def adelete(
        self,
        entity_names: list[str] | None = None,
        relation_names: list[str] | None = None,
        properties: dict[str, Any] | None = None,
        ids: list[str] | None = None,
    ) -> None:
        await self._calls.awaited(self._delete, entity_names, relation_names, properties, ids)

    async def _delete(
        self,
        entity_names: list[str] | None,
        relation_names: list[str] | None,
        properties: dict[str, Any] | None,
        ids: list[str] | None,
    ) -> None:
        if relation_names:
            await self._graph.delete_relations(relation_types=relation_names)
        nodes = {*(entity_names or []), *(ids or [])}
        if properties:
            nodes |= {node.id for node in await self._get(properties, None)}
        await self._graph.delete_entities(nodes)
        if self._vectors is not None:
            await self._vectors.adelete_nodes(list(nodes))

    @override
    def delete_llama_nodes(self, node_ids: list[str] | None = None, ref_doc_ids: list[str] | None = None) -> None:
        """Delete chunks by their ids or their documents', and the entities that were found in these chunks."""
        self._calls.waited("adelete_llama_nodes", self._delete_llama_nodes, node_ids or [], ref_doc_ids or [])

    @override
    async def adelete_llama_nodes(
        self, node_ids: list[str] | None = None, ref_doc_ids: list[str] | None = None
    ) -> None:
        await self._calls.awaited(self._delete_llama_nodes, node_ids or [], ref_doc_ids or [])

    async def _delete_llama_nodes(self, node_ids: list[str], ref_doc_ids: list[str]) -> None:
        of_these = {"$or": [{TRIPLET_SOURCE_KEY: {"$in": node_ids}}, {"ref_doc_id": {"$in": ref_doc_ids}}]}
        found = await self._graph.find_entities(property_filter=of_these, limit=None)
        await self._delete(None, None, None, [*node_ids, *ref_doc_ids, *(each["id"] for each in found)])

    @override
    def vector_query(self, query: VectorStoreQuery, **kwargs: Any) -> tuple[list[LabelledNode], list[float]]:
        """Return the entities whose embeddings are the most similar; filters ask of their properties."""
        return self._calls.waited("avector_query", self._vector_query, query, **kwargs)

    @override
    async def avector_query(self, query: VectorStoreQuery, **kwargs: Any) -> tuple[list[LabelledNode], list[float]]:
        return await self._calls.awaited(self._vector_query, query, **kwargs)

    async def _vector_query(self, query: VectorStoreQuery, **kwargs: Any) -> tuple[list[LabelledNode], list[float]]:
        if self._vectors is None:
            raise UnsupportedOperationError(
                f"{self._graph} keeps no vectors. Pass a vector store beside it: "
                f"{type(self).__name__}(store, vector_store)."
            )
        found = await self._vectors.aquery(query, **kwargs)
        entities = await self._graph.get_entities(found.ids or [])
        return (
            [labelled(each) for each in entities if each is not None],
            [
                similarity
                for similarity, each in zip(found.similarities or [], entities, strict=True)
                if each is not None
            ],
        )

    @override
    def structured_query(self, query: str, param_map: dict[str, Any] | None = None) -> Any:
        raise UnsupportedOperationError(
            f"{self._graph} has no query language, so that the graph may move to any provider. Use get_triplets(), "
            "get_rel_map() or the knowledge graph itself, `client`."
        )


def _has_one(properties: dict[str, Any] | None) -> JSONObject | None:
    return {"$or": [{escaped(key): {"$eq": value}} for key, value in properties.items()]} if properties else None
