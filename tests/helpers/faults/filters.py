"""Faults in filters."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from tests.helpers.faults.planted import fault
from tests.helpers.plain import DictVectorStore


@fault("filters")
class FiltersWithPython(DictVectorStore):
    """Takes True for equal to 1."""

    async def search(self, query_vector, limit=10, metadata_filter=None, **options):
        if metadata_filter and all(type(value) in (int, float, bool) for value in metadata_filter.values()):
            found = await super().search(query_vector, 10**6, None, **options)
            wanted = metadata_filter.items()
            return [each for each in found if all(each["metadata"].get(key) == value for key, value in wanted)][:limit]
        return await super().search(query_vector, limit, metadata_filter, **options)


@fault("filters")
class IgnoresUnknownOperators(InMemoryKnowledgeGraph):
    """Finds nothing for an unknown operator, and does not say so."""

    async def find_entities(self, entity_type=None, property_filter=None, limit=100, **selection):
        try:
            return await super().find_entities(entity_type, property_filter, limit, **selection)
        except ValueError:
            if property_filter is None:
                raise
            return []


@fault("filters")
class MatchesMissingKeys(InMemoryCheckpointStore):
    """Takes a missing key for null."""

    async def list_checkpoints(self, *, metadata_filter=None, **options):
        if metadata_filter == {"x": None}:
            metadata_filter = {"$or": [{"x": None}, {"x": {"$exists": False}}]}
        return await super().list_checkpoints(metadata_filter=metadata_filter, **options)
