"""The conformance kit finds what is wrong: each planted fault fails in the group, or the sentence, that is about it."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

import asyncio
import json
import re
import time
from dataclasses import replace
from operator import itemgetter

import numpy as np
import orjson
import pytest

from symphony_registry.backends import BackendType
from symphony_registry.backends.checkpoint_store import FileCheckpointStore, InMemoryCheckpointStore
from symphony_registry.backends.concurrency import delaying_cancellation
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph, InMemoryKnowledgeGraph
from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.errors import (
    BackendNotOpenError,
    InvalidValueError,
    NotFoundError,
    StorageLockedError,
    UnsupportedFilterError,
    UnsupportedOperationError,
)
from symphony_registry.providers.embedded.replica import IN_MEMORY
from symphony_registry.testing import Harness, run_conformance, sentences
from symphony_registry.testing.adapters import adapt
from tests.helpers.plain import DictCheckpointStore, DictGraph, DictVectorStore

FAULTS = []


def fault(name, large=20_000):
    """Mark a class with a planted fault, which its docstring describes, and the group or sentence that finds it."""

    def add(faulty):
        FAULTS.append(pytest.param(faulty, name, large, id=f"{name} {faulty.__name__}: {faulty.__doc__}"))
        return faulty

    return add


def check(provider, directory, only=None, large=200):
    """Return the kit's report on a provider."""
    has_path = "path" in getattr(provider, "Options", BackendOptions).model_fields
    options = (lambda path: {"path": str(path / "data")}) if has_path else (lambda _: {})
    harness = Harness(provider.backend_type, provider, directory, options=options, large=large)
    return asyncio.run(run_conformance(harness, only))


@fault("lifecycle")
class AnswersClosed(InMemoryVectorStore):
    """Counts before it is open."""

    async def count(self, metadata_filter=None):
        return await super().count(metadata_filter) if self.is_open else 0


@fault("durability")
class ForgetsOnReconnect(FileVectorStore):
    """Starts empty when it is connected again."""

    def _log(self):
        log = super()._log()
        log.replay = lambda state: None
        return log


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


@fault("durability")
class PromisesToPersist(InMemoryKnowledgeGraph):
    """Says that it persists, and does not."""

    guarantees = replace(IN_MEMORY, survives="crash")


@fault("lifecycle")
class AlwaysHealthy(InMemoryKnowledgeGraph):
    """Says that it is healthy when it is closed."""

    async def health_check(self):
        return True


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

    async def save_checkpoint(self, checkpoint_id, data, metadata=None):
        await super().save_checkpoint(checkpoint_id.strip() or checkpoint_id, data, metadata)


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

    async def save_checkpoint(self, checkpoint_id, data, metadata=None):
        try:
            await super().save_checkpoint(checkpoint_id, data, metadata)
        except ValueError as error:
            raise type(error)("That cannot be stored.") from None


@fault("values")
class CutsAtNul(InMemoryCheckpointStore):
    """Cuts a text in the metadata at U+0000."""

    async def save_checkpoint(self, checkpoint_id, data, metadata=None):
        if isinstance(metadata, dict):
            metadata = {k: v.partition("\0")[0] if isinstance(v, str) else v for k, v in metadata.items()}
            metadata = {k.partition("\0")[0] if isinstance(k, str) else k: v for k, v in metadata.items()}
        await super().save_checkpoint(checkpoint_id, data, metadata)


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

    async def get_latest_checkpoint(self):
        latest = await super().get_latest_checkpoint()
        self.cached = getattr(self, "cached", latest)
        return self.cached


@fault("atomicity")
class WritesHalf(InMemoryVectorStore):
    """Writes the items of a bulk one after the other."""

    async def add_many(self, items):
        for item in items:
            await self.add(*item)
            await asyncio.sleep(0)


@fault("atomicity")
class DeletesHalf(InMemoryKnowledgeGraph):
    """Deletes the relations of an entity in steps that a cancellation stops."""

    async def delete_entity(self, entity_id):
        for relation in await self.get_relations(entity_id, direction="both"):
            await self.delete_relation(relation["from_id"], relation["to_id"], relation["type"])
            await asyncio.sleep(0)
        return await super().delete_entity(entity_id)


@fault("atomicity")
class PrunesInSteps(InMemoryCheckpointStore):
    """Lets others see checkpoints go one by one."""

    async def prune(self, keep_last):
        listed = await self.list_checkpoints(newest_first=True)
        for info in listed[keep_last:]:
            await self.delete_checkpoint(info["checkpoint_id"])
            await asyncio.sleep(0)
        return len(listed[keep_last:])


@fault("durability.killed")
class WritesAtDisconnect(FileCheckpointStore):
    """Returns before anything is on the disk."""

    def _log(self):
        log = super()._log()
        append, close, waiting = log.append, log.close, []

        def write_and_close(state):
            if waiting:
                append(waiting)
                waiting.clear()
            close(state)

        log.append, log.close = waiting.extend, write_and_close
        return log


@fault("durability")
class ForgetsDeletes(FileKnowledgeGraph):
    """Does not persist that something was deleted."""

    def _log(self):
        log = super()._log()
        append = log.append
        log.append = lambda groups: append(
            [[change for change in group if change["op"] != "delete_entity"] for group in groups]
        )
        return log


@fault("sharing.another_backend")
class SeesOnlyItsOwn(InMemoryKnowledgeGraph):
    """Says that several may have the storage open, and keeps one for each."""

    guarantees = replace(IN_MEMORY, shared=True)


@fault("sharing.another_process")
class SharesInTheProcess(SharesData):
    """Shows a write to the other backends of its process alone."""

    guarantees = replace(IN_MEMORY, shared=True)


@fault("sharing.second_refused")
class LetsASecondIn(InMemoryVectorStore):
    """Says that it has the storage for itself, and refuses nobody."""

    guarantees = replace(IN_MEMORY, exclusive=True)


@fault("sharing.process_refused")
class LocksOutItsProcessAlone(InMemoryCheckpointStore):
    """Has the storage for itself, but in its process only."""

    guarantees = replace(IN_MEMORY, exclusive=True)
    taken = False

    async def connect(self):
        if not self.is_open and LocksOutItsProcessAlone.taken:
            raise StorageLockedError("Somebody has it open.")
        await super().connect()
        LocksOutItsProcessAlone.taken = True

    async def disconnect(self):
        LocksOutItsProcessAlone.taken = LocksOutItsProcessAlone.taken and not self.is_open
        await super().disconnect()


@fault("order")
class OrdersAsUtf16(InMemoryVectorStore):
    """Orders equal similarities as UTF-16."""

    async def search(self, query_vector, limit=10, metadata_filter=None, *, include_vectors=True):
        found = await super().search(query_vector, limit, metadata_filter, include_vectors=include_vectors)
        return sorted(found, key=lambda result: (-result["similarity"], result["id"].encode("utf-16-be")))


@fault("order")
class OrdersByInsertion(InMemoryKnowledgeGraph):
    """Finds entities in the order in which they were added."""

    async def find_entities(self, entity_type=None, property_filter=None, limit=100):
        found = await super().find_entities(entity_type, property_filter, limit)
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

    async def search(self, query_vector, limit=10, metadata_filter=None, *, include_vectors=True):
        limit = int(limit) if isinstance(limit, bool) else limit
        return await super().search(query_vector, limit, metadata_filter, include_vectors=include_vectors)


@fault("limits")
class TakesZeroAsNone(InMemoryCheckpointStore):
    """Takes the limit 0 for no limit."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        limit = None if type(limit) is int and limit == 0 else limit
        return await super().list_checkpoints(metadata_filter=metadata_filter, limit=limit, newest_first=newest_first)


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

    async def find_entities(self, entity_type=None, property_filter=None, limit=100):
        return await super().find_entities(entity_type, None, limit)


@fault("event_loop.reads")
class BlocksTheLoop(InMemoryVectorStore):
    """Waits on the event loop when it searches."""

    async def search(self, query_vector, limit=10, metadata_filter=None, *, include_vectors=True):
        time.sleep(0.06)  # noqa: ASYNC251
        return await super().search(query_vector, limit, metadata_filter, include_vectors=include_vectors)


@fault("event_loop.reads")
class BlocksOnce(InMemoryCheckpointStore):
    """Waits on the event loop at one of many calls, after others that are short."""

    calls = 0

    async def _get(self, checkpoint_id):
        self.calls += 1
        if self.calls == 1_500:
            time.sleep(0.06)  # noqa: ASYNC251
        return await super()._get(checkpoint_id)


@fault("event_loop.filters")
class ComputesOnTheLoop(InMemoryKnowledgeGraph):
    """Computes on the event loop when it looks for something."""

    async def _find(self, entity_type, condition, limit):
        compute()
        return await super()._find(entity_type, condition, limit)


@fault("event_loop.writes")
class WritesOnTheLoop(InMemoryVectorStore):
    """Computes on the event loop when it stores many vectors."""

    async def _put(self, parts):
        if parts.cost > 100:
            compute()
        await super()._put(parts)


def compute():
    until = time.thread_time() + 0.06
    while time.thread_time() < until:
        pass


@fault("filters")
class FiltersWithPython(DictVectorStore):
    """Takes True for equal to 1."""

    async def search(self, query_vector, limit=10, metadata_filter=None, *, include_vectors=True):
        if metadata_filter and all(type(value) in (int, float, bool) for value in metadata_filter.values()):
            found = await super().search(query_vector, 10**6, None, include_vectors=include_vectors)
            wanted = metadata_filter.items()
            return [each for each in found if all(each["metadata"].get(key) == value for key, value in wanted)][:limit]
        return await super().search(query_vector, limit, metadata_filter, include_vectors=include_vectors)


@fault("filters")
class IgnoresUnknownOperators(InMemoryKnowledgeGraph):
    """Finds nothing for an unknown operator, and does not say so."""

    async def find_entities(self, entity_type=None, property_filter=None, limit=100):
        try:
            return await super().find_entities(entity_type, property_filter, limit)
        except ValueError:
            if property_filter is None:
                raise
            return []


@fault("filters")
@fault("items.counted_matching")
class CountsEverything(InMemoryVectorStore):
    """Does not apply the filter when it counts."""

    async def count(self, metadata_filter=None):
        await super().count(metadata_filter)
        return await super().count()


@fault("filters")
class MatchesMissingKeys(InMemoryCheckpointStore):
    """Takes a missing key for null."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        if metadata_filter == {"x": None}:
            metadata_filter = {"$or": [{"x": None}, {"x": {"$exists": False}}]}
        return await super().list_checkpoints(metadata_filter=metadata_filter, limit=limit, newest_first=newest_first)


@fault("items")
class KeepsOldMetadata(InMemoryVectorStore):
    """Merges the metadata of an id that is added again."""

    async def add(self, id, vector, metadata=None):
        old = await self.get(id)
        if old is not None and (metadata is None or isinstance(metadata, dict)):
            metadata = {**old["metadata"], **(metadata or {})}
        await super().add(id, vector, metadata)


@fault("items")
class AlwaysDeleted(InMemoryVectorStore):
    """Says that it deleted what was not there."""

    async def delete(self, id):
        await super().delete(id)
        return True


@fault("items")
class KeepsDoubles(DictVectorStore):
    """Does not round vectors to float32."""

    async def add(self, id, vector, metadata=None):
        await super().add(id, vector, metadata)
        self.exact = {**getattr(self, "exact", {}), id: [float(number) for number in vector]}

    async def get(self, id):
        found = await super().get(id)
        return found and {**found, "vector": list(self.exact.get(id, found["vector"]))}


@fault("dimension")
class PadsVectors(InMemoryVectorStore):
    """Cuts vectors of another dimension."""

    async def add(self, id, vector, metadata=None):
        if self._data.state.dimension and isinstance(vector, list):
            vector = vector[: self._data.state.dimension]
        await super().add(id, vector, metadata)


@fault("items.rounds")
class RoundsMore(InMemoryVectorStore):
    """Rounds vectors to float16, and does not say so among its guarantees."""

    async def _put(self, parts):
        ids, rows, metadata = await parts.whole()
        with np.errstate(over="ignore"):
            rounded = rows.astype(np.float16).astype(np.float32)
        await super()._put(Parts.of([(ids, rounded, metadata)], parts.cost))


@fault("dimension.first_fixes")
class NeedsADimension(InMemoryVectorStore):
    """Needs the option `dimension`, and does not say so among its guarantees."""

    async def add(self, id, vector, metadata=None):
        if self._options.dimension is None:
            raise InvalidValueError("The option dimension is missing.")
        await super().add(id, vector, metadata)


@fault("dimension.none_when_empty")
class InventsADimension(InMemoryVectorStore):
    """Gives a dimension where there is none."""

    async def dimension(self):
        return await super().dimension() or 3


@fault("dimension.mixed_fixes_none")
class FixesWhatItRefuses(InMemoryVectorStore):
    """Keeps the dimension of a bulk that it refuses."""

    async def add_many(self, items):
        given = list(items)
        try:
            await super().add_many(given)
        except ValueError:
            self._data.state.apply({"op": "dimension", "dimension": len(given[0][1])})
            raise


@fault("vectors.beyond")
class TakesMoreThanItKeeps(InMemoryVectorStore):
    """Takes numbers that are too large for the precision that it promises."""

    guarantees = replace(IN_MEMORY, precision="float16")


@fault("search.exact")
class MissesTheBest(InMemoryVectorStore):
    """Finds only some of the most similar vectors, and does not say so among its guarantees."""

    async def _search(self, queries, limit, condition, *, include_vectors):
        found = await super()._search(queries, limit + 1, condition, include_vectors=include_vectors)
        return [results[1:] if len(results) > limit else results for results in found]


@fault("search.equals_cut")
class OrdersAfterTheLimit(InMemoryVectorStore):
    """Cuts at the limit before it orders equals."""

    async def _search(self, queries, limit, condition, *, include_vectors):
        found = await super()._search(queries, 10**6, condition, include_vectors=include_vectors)
        last = [sorted(results, key=itemgetter("similarity", "id"), reverse=True)[:limit] for results in found]
        return [sorted(results, key=lambda each: (-each["similarity"], each["id"])) for results in last]


@fault("vectors")
class TakesZeroVectors(InMemoryVectorStore):
    """Answers a search for the zero vector, which has no cosine."""

    async def search(self, query_vector, limit=10, metadata_filter=None, *, include_vectors=True):
        if isinstance(query_vector, list) and query_vector and all(number == 0 for number in query_vector):
            return []
        return await super().search(query_vector, limit, metadata_filter, include_vectors=include_vectors)


@fault("search")
class ScalesCosine(InMemoryVectorStore):
    """Gives the cosine in [0, 1]."""

    async def search(self, query_vector, limit=10, metadata_filter=None, *, include_vectors=True):
        found = await super().search(query_vector, limit, metadata_filter, include_vectors=include_vectors)
        return [{**result, "similarity": (1 + result["similarity"]) / 2} for result in found]


@fault("search")
class FiltersAfterTheLimit(DictVectorStore):
    """Cuts at the limit before it filters."""

    async def search(self, query_vector, limit=10, metadata_filter=None, *, include_vectors=True):
        best = await super().search(query_vector, limit, include_vectors=include_vectors)
        matching = await super().search(query_vector, 10**6, metadata_filter, include_vectors=False)
        ids = {result["id"] for result in matching}
        return [result for result in best if result["id"] in ids]


@fault("search")
class AlwaysIncludesVectors(InMemoryVectorStore):
    """Returns vectors that nobody asked for."""

    async def search(self, query_vector, limit=10, metadata_filter=None, *, include_vectors=True):
        return await super().search(query_vector, limit, metadata_filter)


@fault("bulk")
class FirstWins(InMemoryVectorStore):
    """Keeps the first of equal ids in a bulk."""

    async def add_many(self, items):
        items = list(items) if not isinstance(items, int) else items
        await super().add_many(reversed(items) if isinstance(items, list) else items)


@fault("bulk")
class CountsTwice(InMemoryVectorStore):
    """Counts an id twice that is deleted twice in a bulk."""

    async def delete_many(self, ids):
        ids = list(ids)
        there = sum([await self.get(id) is not None for id in ids])
        await super().delete_many(ids)
        return there


@fault("scan")
class SkipsTheRest(InMemoryVectorStore):
    """Scans only the first batch."""

    async def scan(self, batch_size=1000):
        number = 0
        async for item in super().scan(batch_size):
            number += 1
            if number > batch_size:
                return
            yield item


@fault("atomicity.half_done_bulk")
class ShowsHalf(InMemoryVectorStore):
    """Lets others see a bulk go in item by item, however it ends."""

    async def add_many(self, items):
        async def add_each():
            for item in items:
                await self.add(*item)
                await asyncio.sleep(0)

        await delaying_cancellation(add_each())


@fault("entities")
class DropsRelations(InMemoryKnowledgeGraph):
    """Loses the relations of an entity that is added again."""

    async def add_entity(self, entity_id, entity_type, properties=None):
        await self.delete_entity(entity_id)
        await super().add_entity(entity_id, entity_type, properties)


@fault("entities")
class MergesDeeply(InMemoryKnowledgeGraph):
    """Merges nested objects too."""

    async def update_entity(self, entity_id, properties):
        old = await self.get_entity(entity_id)
        if old is not None and isinstance(properties, dict):
            merged = {
                key: {**old["properties"][key], **value}
                if isinstance(value, dict) and isinstance(old["properties"].get(key), dict)
                else value
                for key, value in properties.items()
            }
            return await super().update_entity(entity_id, merged)
        return await super().update_entity(entity_id, properties)


@fault("entities")
class LeavesDanglingRelations(DictGraph):
    """Deletes only the outgoing relations with an entity."""

    async def delete_entity(self, entity_id):
        before = dict(self.relations)
        deleted = await super().delete_entity(entity_id)
        if deleted:
            self.relations = {key: value for key, value in before.items() if key[0] != entity_id}
        return deleted


@fault("entities")
class LosesUpdates(InMemoryKnowledgeGraph):
    """Reads, waits and writes when it updates."""

    async def update_entity(self, entity_id, properties):
        old = await self.get_entity(entity_id)
        await asyncio.sleep(0)
        if old is None or not isinstance(properties, dict):
            return await super().update_entity(entity_id, properties)
        await self.add_entity(entity_id, old["type"], {**old["properties"], **properties})
        return True


@fault("relations")
class SelfRelationTwice(InMemoryKnowledgeGraph):
    """Gives a relation of an entity to itself once for each direction."""

    async def get_relations(self, entity_id, relation_type=None, direction="outgoing"):
        if direction == "both":
            outgoing = await super().get_relations(entity_id, relation_type, "outgoing")
            return outgoing + await super().get_relations(entity_id, relation_type, "incoming")
        return await super().get_relations(entity_id, relation_type, direction)


@fault("relations")
class InventsEntities(InMemoryKnowledgeGraph):
    """Adds the entities that a relation needs."""

    async def add_relation(self, from_entity_id, to_entity_id, relation_type, properties=None):
        for end in (from_entity_id, to_entity_id):
            if await self.get_entity(end) is None:
                await self.add_entity(end, "Unknown")
        await super().add_relation(from_entity_id, to_entity_id, relation_type, properties)


@fault("listing")
class CountsAllTypes(InMemoryKnowledgeGraph):
    """Counts the relations of all types."""

    async def count_relations(self, relation_type=None):
        await super().count_relations(relation_type)
        return await super().count_relations()


@fault("listing")
class ListsNothing(DictGraph):
    """Says that it can list its entities, and cannot."""

    guarantees = Guarantees(lists_entities=True)


@fault("query")
class RepeatsEntities(DictGraph):
    """Gives an entity once for each path to it."""

    async def query(self, start_entity_id, relation_path, limit=100):
        ends = [entity["id"] for entity in await super().query(start_entity_id, [], limit)]
        await super().query(start_entity_id, relation_path, limit)
        for step in relation_path:
            ends = [relation["to_id"] for end in ends for relation in await self.get_relations(end, step)]
            if len(ends) > 10_000:
                break
        return [await self.get_entity(id) for id in sorted(ends)[:limit]]


@fault("neighbors")
class IncludesTheStart(InMemoryKnowledgeGraph):
    """Gives the start among its neighbours."""

    async def neighbors(self, entity_id, relation_type=None, direction="both", depth=1, limit=100):
        found = await super().neighbors(entity_id, relation_type, direction, depth, limit)
        start = await self.get_entity(entity_id)
        return sorted([start, *found], key=lambda entity: entity["id"]) if start else found


@fault("shortest_path")
class TakesAnyPath(InMemoryKnowledgeGraph):
    """Gives the largest of equally short paths."""

    async def shortest_path(self, from_entity_id, to_entity_id, relation_types=None, max_depth=6):
        found = await super().shortest_path(from_entity_id, to_entity_id, relation_types, max_depth)
        if found is not None and len(found) == 3 and relation_types is None:
            middle = [
                relation["to_id"]
                for relation in await self.get_relations(from_entity_id)
                if any(next_["to_id"] == to_entity_id for next_ in await self.get_relations(relation["to_id"]))
            ]
            found[1] = await self.get_entity(max(middle))
        return found


@fault("shortest_path")
class WalksBackwards(InMemoryKnowledgeGraph):
    """Follows relations against their direction."""

    async def shortest_path(self, from_entity_id, to_entity_id, relation_types=None, max_depth=6):
        there = await super().shortest_path(from_entity_id, to_entity_id, relation_types, max_depth)
        back = await super().shortest_path(to_entity_id, from_entity_id, relation_types, max_depth)
        return there or (back and back[::-1])


@fault("saving")
class KeepsTheCallersTimestamp(InMemoryCheckpointStore):
    """Lets metadata stand over the store's own."""

    async def get_checkpoint(self, checkpoint_id):
        found = await super().get_checkpoint(checkpoint_id)
        if found is not None:
            found["metadata"] |= self._data.state.saved[checkpoint_id].metadata
        return found


@fault("sequence")
class OrdersByClock(InMemoryCheckpointStore):
    """Takes the latest timestamp for the newest."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        found = await super().list_checkpoints(metadata_filter=metadata_filter, newest_first=newest_first)
        found.sort(key=lambda info: info["metadata"]["timestamp"], reverse=newest_first)
        await super().list_checkpoints(limit=limit)
        return found[:limit]


@fault("sequence")
class KeepsThePlace(InMemoryCheckpointStore):
    """Leaves a checkpoint that is saved again where it was."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        found = await super().list_checkpoints(metadata_filter=metadata_filter, limit=limit, newest_first=newest_first)
        seen = self.__dict__.setdefault("seen", [])
        seen += [info["checkpoint_id"] for info in found if info["checkpoint_id"] not in seen]
        return sorted(found, key=lambda info: seen.index(info["checkpoint_id"]), reverse=newest_first)


@fault("restoring")
class RestoresNothing(DictCheckpointStore):
    """Says that it restores timestamps, and cannot."""

    guarantees = Guarantees(restores_timestamps=True)


@fault("restoring")
class RestoresNow(InMemoryCheckpointStore):
    """Gives a restored checkpoint the time of its restoring."""

    async def restore_checkpoints(self, items):
        given = list(items)
        await super().restore_checkpoints(given)
        await super().restore_checkpoints([(*item[:3], time.time()) for item in given])


@fault("restoring")
class RestoresByClock(InMemoryCheckpointStore):
    """Restores in the order of the timestamps."""

    async def restore_checkpoints(self, items):
        given = list(items) if hasattr(items, "__iter__") else items
        await super().restore_checkpoints(given)
        await super().restore_checkpoints(sorted(given, key=lambda item: item[3]))


@fault("restoring")
class RestoresBehindWhatIsThere(InMemoryCheckpointStore):
    """Leaves a checkpoint that is restored again where it was."""

    async def restore_checkpoints(self, items):
        before = list(self._data.state.saved)
        await super().restore_checkpoints(items)
        kept = {id: self._data.state.saved.pop(id) for id in before}
        self._data.state.saved = {**kept, **self._data.state.saved}


@fault("atomicity")
class RestoresHalf(InMemoryCheckpointStore):
    """Restores checkpoints one after the other."""

    async def restore_checkpoints(self, items):
        for item in items:
            await super().restore_checkpoints([item])


@fault("listing")
class ListsData(InMemoryCheckpointStore):
    """Lists the data too."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        found = await super().list_checkpoints(metadata_filter=metadata_filter, limit=limit, newest_first=newest_first)
        return [{**info, "data": {}} for info in found]


@fault("listing")
class PrunesTheNewest(InMemoryCheckpointStore):
    """Keeps the oldest when it prunes."""

    async def prune(self, keep_last):
        await super().prune(10**6 if type(keep_last) is int and keep_last >= 0 else keep_last)
        newest = await self.list_checkpoints(newest_first=True)
        gone = newest[: max(0, len(newest) - keep_last)]
        return sum([await self.delete_checkpoint(info["checkpoint_id"]) for info in gone])


@pytest.mark.parametrize(("faulty", "name", "large"), FAULTS)
def test_finds_a_fault_where_the_contract_forbids_it(faulty, name, large, tmp_path):
    report = check(faulty, tmp_path, {name}, large)
    assert report.failed, f"nothing failed:\n{report}"


@pytest.mark.parametrize("backend_type", BackendType)
def test_every_group_has_a_fault_that_it_finds(backend_type):
    covered = {param.values[1].partition(".")[0] for param in FAULTS}
    assert {sentence.group for sentence in sentences(backend_type)} <= covered


@pytest.mark.parametrize("provider", [InMemoryVectorStore, InMemoryKnowledgeGraph, InMemoryCheckpointStore])
def test_finds_nothing_in_a_healthy_provider_and_says_what_it_does_not_promise(provider, tmp_path):
    report = check(provider, tmp_path)
    assert not report.failed, str(report)
    assert not report.skipped, str(report)
    needed = {outcome.reason for outcome in report.not_promised}
    assert needed == {"survives a crash", "shared storage", "exclusive storage", "a largest limit", "a largest value"}
    assert len(report.passed) + len(report.not_promised) == len(sentences(provider.backend_type))


def test_what_a_graph_does_not_promise_to_list_has_not_passed(tmp_path):
    report = check(DictGraph, tmp_path, {"listing", "filters", "entities"})
    assert not report.failed, str(report)
    assert {outcome.sentence.group for outcome in report.not_promised} == {"listing", "filters"}
    assert {outcome.sentence.group for outcome in report.passed} == {"entities"}


class RefusesFilters(InMemoryCheckpointStore):
    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        if metadata_filter:
            raise UnsupportedFilterError("no filters here")
        return await super().list_checkpoints(limit=limit, newest_first=newest_first)


class SaysThatItRefusesFilters(RefusesFilters):
    guarantees = replace(IN_MEMORY, filters=False)


def test_a_provider_that_refuses_all_filters_fails_if_it_promises_them(tmp_path):
    report = check(RefusesFilters, tmp_path, {"filters"})
    assert len(report.failed) > len(report.passed)


def test_a_provider_that_refuses_all_filters_passes_none_of_their_sentences_if_it_says_so(tmp_path):
    report = check(SaysThatItRefusesFilters, tmp_path)
    assert not report.failed, str(report)
    assert not [outcome for outcome in report.passed if outcome.sentence.group in ("filters", "logic")]
    assert {outcome.reason for outcome in report.not_promised if outcome.sentence.group == "filters"} == {"filters"}


class MissesSome(MissesTheBest):
    guarantees = replace(IN_MEMORY, exact_search=False)


def test_a_search_that_says_it_misses_some_is_asked_for_the_right_similarities_alone(tmp_path):
    report = check(MissesSome, tmp_path, {"search.exact", "search.cosine", "search.dot", "search.euclidean"})
    assert {outcome.sentence.name: outcome.verdict for outcome in report.outcomes} == {
        "exact": "not promised", "cosine": "passed", "dot": "passed", "euclidean": "passed"
    }  # fmt: skip


class HasLimits(InMemoryCheckpointStore):
    guarantees = replace(IN_MEMORY, largest_limit=10, largest_value=500)

    async def save_checkpoint(self, checkpoint_id, data, metadata=None):
        await super().save_checkpoint(checkpoint_id, self.checked(data), self.checked(metadata))

    async def restore_checkpoints(self, items):
        given = list(items)
        for _, data, metadata, _ in given:
            self.checked(data), self.checked(metadata)
        await super().restore_checkpoints(given)

    def checked(self, value):
        if len(json.dumps(value, separators=(",", ":"))) > 500:
            raise InvalidValueError("That has more than 500 bytes.")
        return value

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        if type(limit) is int and limit > 10:
            raise InvalidValueError("A limit is at most 10.")
        return await super().list_checkpoints(metadata_filter=metadata_filter, limit=limit, newest_first=newest_first)


def test_a_provider_that_keeps_to_the_largest_limit_and_value_passes(tmp_path):
    report = check(HasLimits, tmp_path, {"limits", "values.large"})
    assert not report.failed, str(report)
    assert [outcome.sentence.id for outcome in report.not_promised] == ["values.large"]


def test_a_sentence_that_cannot_be_tried_is_skipped_with_the_reason(tmp_path):
    class Local(FileVectorStore):  # which another process cannot import
        pass

    (outcome,) = check(Local, tmp_path, {"durability.killed"}).outcomes
    assert outcome.verdict == "skipped"
    assert "cannot be sent to another process" in outcome.reason


def test_an_unsupported_operation_fails_where_the_contract_allows_none(tmp_path):
    class NoCount(InMemoryCheckpointStore):
        async def count(self):
            raise UnsupportedOperationError("no count here")

    assert check(NoCount, tmp_path, {"listing"}).failed


def test_a_report_reads_as_a_line_for_each_sentence_and_the_reason_of_each_failure(tmp_path):
    text = str(check(AlwaysDeleted, tmp_path, {"items", "durability.killed"}))
    failed = "FAILED       items.deleted: delete says whether the id was there, and no operation finds it any more"
    assert failed in text
    assert "passed       items.unknown: get gives None for an unknown id" in text
    assert "not promised durability.killed: a write that has returned is there after kill -9 (survives a crash)" in text
    assert 'assert await store.delete("b") is False' in text
    assert "1 failed, 1 not promised, 0 skipped" in text


def test_groups_and_single_sentences_are_selected_by_name(tmp_path):
    report = check(InMemoryVectorStore, tmp_path, {"order", "limits.too_small"})
    assert [outcome.sentence.id for outcome in report.outcomes] == [
        "order.code_points", "order.history", "limits.too_small"
    ]  # fmt: skip


def test_an_unknown_name_is_refused_and_the_nearest_one_given(tmp_path):
    with pytest.raises(NotFoundError, match=r"'limits\.to_small'.*limits\.too_small"):
        check(InMemoryVectorStore, tmp_path, {"limits.to_small"})


@pytest.mark.parametrize("backend_type", BackendType)
def test_each_sentence_has_a_short_id_and_a_text_of_its_own(backend_type):
    known = sentences(backend_type)
    assert len({sentence.id for sentence in known}) == len({sentence.text for sentence in known}) == len(known)
    for sentence in known:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z0-9]+(_[a-z0-9]+)*", sentence.id)
        assert len(sentence.id) <= 40


@pytest.mark.parametrize("provider", [InMemoryVectorStore, InMemoryKnowledgeGraph, InMemoryCheckpointStore])
def test_the_common_sentences_know_every_operation(provider):
    assert adapt(provider()).operations().keys() == OPERATIONS[provider.backend_type].keys()
