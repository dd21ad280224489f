"""Faults in what all backend types promise."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

from dataclasses import replace

import orjson

from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.errors import (
    BackendNotOpenError,
    InvalidValueError,
)
from symphony_registry.providers.embedded.replica import IN_MEMORY
from tests.helpers.faults.planted import fault
from tests.helpers.plain import DictVectorStore


@fault("lifecycle")
class AnswersClosed(InMemoryVectorStore):
    """Answers before it is open."""

    def ensure_open(self):
        pass


@fault("lifecycle")
class HasNoVersion(InMemoryVectorStore):
    """Does not tell what keeps the data."""

    async def version(self):
        return None


@fault("lifecycle")
class DisconnectsOnce(InMemoryCheckpointStore):
    """Fails when it is disconnected twice."""

    async def disconnect(self):
        self.ensure_open()
        await super().disconnect()


@fault("lifecycle")
class AlwaysHealthy(InMemoryKnowledgeGraph):
    """Says that it is healthy when it is closed."""

    async def health_check(self):
        return True


@fault("lifecycle.ensured_health")
class HidesItsIllness(InMemoryKnowledgeGraph):
    """Raises nothing although its health check fails."""

    async def ensure_healthy(self):
        await self.health_check()


@fault("lifecycle")
class SharesData(InMemoryKnowledgeGraph):
    """Keeps the data of all graphs in one place."""

    state = None

    async def connect(self):
        await super().connect()
        SharesData.state = self._data.state = SharesData.state or self._data.state


@fault("ids")
class IgnoresCase(InMemoryVectorStore):
    """Takes "A" and "a" for the same id."""

    async def add(self, id, vector, metadata=None):
        await super().add(id.lower() if type(id) is str else id, vector, metadata)

    async def get(self, id):
        return await super().get(id.lower() if type(id) is str else id)

    async def delete(self, id):
        return await super().delete(id.lower() if type(id) is str else id)


@fault("ids")
class StripsIds(InMemoryCheckpointStore):
    """Strips white space from ids."""

    async def save_checkpoint(self, checkpoint_id, data, metadata=None, **options):
        return await super().save_checkpoint(checkpoint_id.strip() or checkpoint_id, data, metadata, **options)


@fault("ids")
class TakesAnyId(DictVectorStore):
    """Does not check ids when reading."""

    async def get(self, id):
        self.ensure_open()
        found = self.items.get(id) if isinstance(id, str) else None
        return found and {"id": id, "vector": found[0].tolist(), "metadata": dict(found[1])}


@fault("values")
class LosesFloats(InMemoryKnowledgeGraph):
    """Gives 1.0 back as 1."""

    async def get_entity(self, entity_id):
        return integral(await super().get_entity(entity_id))


def integral(value):
    if isinstance(value, dict):
        return {key: integral(item) for key, item in value.items()}
    if isinstance(value, list):
        return [integral(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@fault("values")
class TakesSets(InMemoryVectorStore):
    """Stores a set as a list."""

    async def add(self, id, vector, metadata=None):
        if isinstance(metadata, dict):
            metadata = {key: list(item) if isinstance(item, set) else item for key, item in metadata.items()}
        await super().add(id, vector, metadata)


@fault("values")
class HidesTheKeyPath(InMemoryCheckpointStore):
    """Refuses data without saying where."""

    async def save_checkpoint(self, checkpoint_id, data, metadata=None, **options):
        try:
            return await super().save_checkpoint(checkpoint_id, data, metadata, **options)
        except ValueError as error:
            raise type(error)("That cannot be stored.") from None


@fault("values")
class CutsAtNul(InMemoryCheckpointStore):
    """Cuts a text in the metadata at U+0000."""

    async def save_checkpoint(self, checkpoint_id, data, metadata=None, **options):
        if isinstance(metadata, dict):
            metadata = {k: v.partition("\0")[0] if isinstance(v, str) else v for k, v in metadata.items()}
            metadata = {k.partition("\0")[0] if isinstance(k, str) else k: v for k, v in metadata.items()}
        return await super().save_checkpoint(checkpoint_id, data, metadata, **options)


@fault("isolation")
class KeepsTheArgument(DictVectorStore):
    """Stores the metadata that were passed, not a copy."""

    async def add(self, id, vector, metadata=None):
        await super().add(id, vector, metadata)
        self.items[id] = self.items[id][0], metadata or {}


@fault("isolation")
class GivesItsOwn(DictVectorStore):
    """Returns the stored metadata, not a copy."""

    async def get(self, id):
        found = await super().get(id)
        return found and {**found, "metadata": self.items[id][1]}


@fault("isolation")
class ChangesTheArgument(InMemoryKnowledgeGraph):
    """Adds a key to the properties that were passed."""

    async def add_entity(self, entity_id, entity_type, properties=None):
        await super().add_entity(entity_id, entity_type, properties)
        if properties is not None:
            properties["seen"] = True


@fault("isolation")
class CachesResults(InMemoryCheckpointStore):
    """Returns the same object twice."""

    async def get_latest_checkpoint(self, **selection):
        latest = await super().get_latest_checkpoint(**selection)
        self.cached = getattr(self, "cached", latest)
        return self.cached


@fault("order")
class OrdersAsUtf16(InMemoryVectorStore):
    """Orders equal similarities as UTF-16."""

    async def search(self, query_vector, limit=10, metadata_filter=None, **options):
        found = await super().search(query_vector, limit, metadata_filter, **options)
        return sorted(found, key=lambda result: (-result["similarity"], result["id"].encode("utf-16-be")))


@fault("order")
class OrdersByInsertion(InMemoryKnowledgeGraph):
    """Finds entities in the order in which they were added."""

    async def find_entities(self, entity_type=None, property_filter=None, limit=100, **selection):
        found = await super().find_entities(entity_type, property_filter, limit, **selection)
        return sorted(found, key=lambda entity: list(self._data.state.entities).index(entity["id"]))


@fault("limits")
class IgnoresLimit(InMemoryKnowledgeGraph):
    """Gives all neighbours whatever the limit is."""

    async def neighbors(self, entity_id, relation_type=None, direction="both", depth=1, limit=100):
        await super().neighbors(entity_id, relation_type, direction, depth, limit)
        return await super().neighbors(entity_id, relation_type, direction, depth, 10**6)


@fault("limits")
class TakesTrueAsLimit(InMemoryVectorStore):
    """Takes True for 1."""

    async def search(self, query_vector, limit=10, metadata_filter=None, **options):
        limit = int(limit) if isinstance(limit, bool) else limit
        return await super().search(query_vector, limit, metadata_filter, **options)


@fault("limits")
class TakesZeroAsNone(InMemoryCheckpointStore):
    """Takes the limit 0 for no limit."""

    async def list_checkpoints(self, *, limit=None, **options):
        limit = None if type(limit) is int and limit == 0 else limit
        return await super().list_checkpoints(limit=limit, **options)


@fault("errors")
class RaisesItsOwn(InMemoryCheckpointStore):
    """Raises plain builtins."""

    async def get_checkpoint(self, checkpoint_id):
        if checkpoint_id == "":
            raise ValueError("An empty id.")
        return await super().get_checkpoint(checkpoint_id)


@fault("errors")
class HidesItsName(InMemoryVectorStore):
    """Does not say which backend is not open."""

    def ensure_open(self):
        if not self.is_open:
            raise BackendNotOpenError("Not open.")


@fault("errors.kinds")
class IsNameless(InMemoryKnowledgeGraph):
    """Does not say which backend refuses an argument."""

    def __str__(self):
        return "The knowledge graph"


@fault("limits.largest_limit")
class HasNoLargestLimit(InMemoryKnowledgeGraph):
    """Promises a largest limit, and takes a larger one."""

    guarantees = replace(IN_MEMORY, largest_limit=50)


@fault("limits.largest_value")
class HasNoLargestValue(InMemoryCheckpointStore):
    """Promises a largest value, and takes a larger one."""

    guarantees = replace(IN_MEMORY, largest_value=1_000)


@fault("limits.largest_value")
class TakesLessThanItSays(InMemoryVectorStore):
    """Refuses values that are smaller than the largest."""

    guarantees = replace(IN_MEMORY, largest_value=1_000)

    async def _put(self, parts):
        _, _, metadata = await parts.whole()
        if any(len(orjson.dumps(each)) > 900 for each in metadata):
            raise InvalidValueError("That is more than 1000 bytes.")
        await super()._put(parts)


@fault("values.large")
class HidesItsLargestValue(InMemoryKnowledgeGraph):
    """Refuses large values, and does not say so among its guarantees."""

    async def add_entity(self, entity_id, entity_type, properties=None):
        if len(str(properties)) > 100_000:
            raise InvalidValueError("That is too large.")
        await super().add_entity(entity_id, entity_type, properties)


@fault("errors.never_ignored")
class IgnoresFilters(InMemoryKnowledgeGraph):
    """Does not understand filters, and finds everything."""

    guarantees = replace(IN_MEMORY, filters=False)

    async def find_entities(self, entity_type=None, property_filter=None, limit=100, **selection):
        return await super().find_entities(entity_type, None, limit, **selection)
