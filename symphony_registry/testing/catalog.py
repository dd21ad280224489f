"""All sentences of the contract, by backend type."""

from symphony_registry.backends.storage import BackendType
from symphony_registry.testing import (
    checkpoint_store,
    filter_logic,
    filters,
    graph_bulk,
    graph_walks,
    ids,
    knowledge_graph,
    lifecycle,
    values,
    vector_search,
    vector_store,
    writes,
)
from symphony_registry.testing.sentence import Group, Sentence

_COMMON = (
    lifecycle.lifecycle,
    ids.ids,
    values.values,
    values.isolation,
    writes.atomicity,
    writes.durability,
    lifecycle.order,
    lifecycle.limits,
    lifecycle.errors,
    writes.event_loop,
    filters.filters,
    filter_logic.logic,
)
_SPECIFIC: dict[BackendType, tuple[Group, ...]] = {
    BackendType.VECTOR_STORE: (
        vector_store.upsert,
        vector_store.dimensions,
        vector_store.vectors,
        vector_search.search,
        vector_search.bulk,
        vector_search.scan,
    ),
    BackendType.KNOWLEDGE_GRAPH: (
        knowledge_graph.entities,
        knowledge_graph.relations,
        graph_bulk.bulk,
        graph_bulk.listing,
        graph_walks.queries,
        graph_walks.neighbourhood,
        graph_walks.paths,
    ),
    BackendType.CHECKPOINT_STORE: (
        checkpoint_store.saving,
        checkpoint_store.sequence,
        checkpoint_store.restoring,
        checkpoint_store.listing,
    ),
}


def sentences(backend_type: BackendType | str) -> list[Sentence]:
    """Return the sentences that a backend of this type keeps, the common ones first."""
    groups = (*_COMMON, *_SPECIFIC[BackendType(backend_type)])
    return [sentence for group in groups for sentence in group.sentences]
