"""All sentences of the contract, by backend type."""

from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.contract import (
    atomicity,
    checkpoint_listing,
    checkpoint_saving,
    checkpoint_selection,
    checkpoints,
    durability,
    errors,
    event_loop,
    filter_logic,
    filters,
    graph,
    graph_bulk,
    graph_selection,
    graph_subgraph,
    graph_walks,
    ids,
    lifecycle,
    limits,
    restoring,
    sharing,
    values,
    vector_bulk,
    vector_refusals,
    vector_search,
    vectors,
)
from symphony_registry.testing.sentence import Sentence

_GROUPS = (
    lifecycle.lifecycle,
    ids.ids,
    values.values,
    values.isolation,
    atomicity.atomicity,
    durability.durability,
    sharing.sharing,
    limits.order,
    limits.limits,
    errors.errors,
    event_loop.event_loop,
    filters.filters,
    filter_logic.logic,
    vectors.items,
    vectors.dimension,
    vector_refusals.vectors,
    vector_search.search,
    vector_bulk.bulk,
    vector_bulk.scan,
    graph.entities,
    graph.relations,
    graph_bulk.bulk,
    graph_bulk.listing,
    graph_selection.several,
    graph_selection.selecting,
    graph_subgraph.subgraph,
    graph_walks.query,
    graph_walks.neighbors,
    graph_walks.shortest_path,
    checkpoints.saving,
    checkpoints.sequence,
    checkpoint_listing.listing,
    checkpoint_saving.several,
    checkpoint_saving.payloads,
    checkpoint_saving.versions,
    checkpoint_selection.selecting,
    restoring.restoring,
)


def sentences(backend_type: BackendType | str) -> list[Sentence]:
    """Return the sentences about a backend type, those about all types first."""
    chosen = [group for group in _GROUPS if group.backend_type in (None, BackendType(backend_type))]
    return [sentence for group in chosen for sentence in group.sentences]
