"""The conformance kit finds what is wrong: each planted fault fails a sentence of the expected group."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

import asyncio
import time

import pytest

from symphony_registry.backends import BackendType
from symphony_registry.backends.checkpoint_store import FileCheckpointStore, InMemoryCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph, InMemoryKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.errors import BackendNotOpenError, UnsupportedFilterError
from symphony_registry.testing import Harness, run_conformance, sentences
from tests.helpers.plain import DictGraph, DictVectorStore

FAULTS = []


def fault(group):
    """Mark a class with a planted fault, which its docstring describes, and the group of sentences that find it."""

    def add(faulty):
        FAULTS.append(pytest.param(faulty, group, id=f"{faulty.__name__}: {faulty.__doc__}"))
        return faulty

    return add


def check(provider, directory, groups=None):
    """Return the kit's report on a provider."""
    persists = any(base in provider.__mro__ for base in (FileVectorStore, FileKnowledgeGraph, FileCheckpointStore))
    harness = Harness(
        provider.backend_type,
        provider,
        directory,
        options=(lambda path: {"path": str(path / "data")}) if persists else (lambda _: {}),
        persists=persists,
        large=20_000 if groups else 200,
    )
    return asyncio.run(run_conformance(harness, groups))


@fault("lifecycle")
class AnswersClosed(InMemoryVectorStore):
    """Counts before it is open."""

    async def count(self, metadata_filter=None):
        return await super().count(metadata_filter) if self.is_open else 0


@fault("lifecycle")
class ForgetsOnReconnect(FileVectorStore):
    """Starts empty when it is connected again."""

    async def _load(self):
        await super()._load()
        return self._empty_state()


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
class PromisesToPersist(InMemoryKnowledgeGraph):
    """Says that it persists, and does not."""

    persists = True


@fault("lifecycle")
class AlwaysHealthy(InMemoryKnowledgeGraph):
    """Says that it is healthy when it is closed."""

    async def health_check(self):
        return True


@fault("lifecycle")
class SharesData(InMemoryKnowledgeGraph):
    """Keeps the data of all graphs in one place."""

    state = None

    def _empty_state(self):
        SharesData.state = SharesData.state or super()._empty_state()
        return SharesData.state


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


@fault("durability")
class WritesAtDisconnect(FileCheckpointStore):
    """Returns before anything is on the disk."""

    def _persist(self, groups):
        self.waiting = [*getattr(self, "waiting", ()), *groups]

    async def _tidy(self):
        pass

    async def _close(self):
        waiting, self.waiting = getattr(self, "waiting", []), []
        if waiting and self._journal is not None:
            super()._persist(waiting)
        await super()._close()


@fault("durability")
class ForgetsDeletes(FileKnowledgeGraph):
    """Does not persist that something was deleted."""

    def _persist(self, groups):
        kept = [[change for change in group if change["op"] != "delete_entity"] for group in groups]
        if kept := [group for group in kept if group]:
            super()._persist(kept)


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
        return sorted(found, key=lambda entity: list(self._state.entities).index(entity["id"]))


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


@fault("event loop")
class HoldsTheLoop(InMemoryVectorStore):
    """Sleeps on the event loop when it searches."""

    async def search(self, query_vector, limit=10, metadata_filter=None, *, include_vectors=True):
        time.sleep(0.06)  # noqa: ASYNC251
        return await super().search(query_vector, limit, metadata_filter, include_vectors=include_vectors)


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


@fault("add, get, delete")
class KeepsOldMetadata(InMemoryVectorStore):
    """Merges the metadata of an id that is added again."""

    async def add(self, id, vector, metadata=None):
        old = await self.get(id)
        if old is not None and (metadata is None or isinstance(metadata, dict)):
            metadata = {**old["metadata"], **(metadata or {})}
        await super().add(id, vector, metadata)


@fault("add, get, delete")
class AlwaysDeleted(InMemoryVectorStore):
    """Says that it deleted what was not there."""

    async def delete(self, id):
        await super().delete(id)
        return True


@fault("add, get, delete")
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
        if self._state.dimension and isinstance(vector, list):
            vector = vector[: self._state.dimension]
        await super().add(id, vector, metadata)


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


@fault("bulk operations")
class FirstWins(InMemoryVectorStore):
    """Keeps the first of equal ids in a bulk."""

    async def add_many(self, items):
        items = list(items) if not isinstance(items, int) else items
        await super().add_many(reversed(items) if isinstance(items, list) else items)


@fault("bulk operations")
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


@fault("save, get, delete")
class KeepsTheCallersTimestamp(InMemoryCheckpointStore):
    """Lets metadata stand over the store's own."""

    async def get_checkpoint(self, checkpoint_id):
        found = await super().get_checkpoint(checkpoint_id)
        if found is not None:
            found["metadata"] |= self._state.saved[checkpoint_id].metadata
        return found


@fault("order saved")
class OrdersByClock(InMemoryCheckpointStore):
    """Takes the latest timestamp for the newest."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        found = await super().list_checkpoints(metadata_filter=metadata_filter, newest_first=newest_first)
        found.sort(key=lambda info: info["metadata"]["timestamp"], reverse=newest_first)
        await super().list_checkpoints(limit=limit)
        return found[:limit]


@fault("order saved")
class KeepsThePlace(InMemoryCheckpointStore):
    """Leaves a checkpoint that is saved again where it was."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        found = await super().list_checkpoints(metadata_filter=metadata_filter, limit=limit, newest_first=newest_first)
        seen = self.__dict__.setdefault("seen", [])
        seen += [info["checkpoint_id"] for info in found if info["checkpoint_id"] not in seen]
        return sorted(found, key=lambda info: seen.index(info["checkpoint_id"]), reverse=newest_first)


@fault("restore")
class RestoresNow(InMemoryCheckpointStore):
    """Gives a restored checkpoint the time of its restoring."""

    async def restore_checkpoints(self, items):
        given = list(items)
        await super().restore_checkpoints(given)
        await super().restore_checkpoints([(*item[:3], time.time()) for item in given])


@fault("restore")
class RestoresByClock(InMemoryCheckpointStore):
    """Restores in the order of the timestamps."""

    async def restore_checkpoints(self, items):
        given = list(items) if hasattr(items, "__iter__") else items
        await super().restore_checkpoints(given)
        await super().restore_checkpoints(sorted(given, key=lambda item: item[3]))


@fault("restore")
class RestoresBehindWhatIsThere(InMemoryCheckpointStore):
    """Leaves a checkpoint that is restored again where it was."""

    async def restore_checkpoints(self, items):
        before = list(self._state.saved)
        await super().restore_checkpoints(items)
        kept = {id: self._state.saved.pop(id) for id in before}
        self._state.saved = {**kept, **self._state.saved}


@fault("atomicity")
class RestoresHalf(InMemoryCheckpointStore):
    """Restores checkpoints one after the other."""

    async def restore_checkpoints(self, items):
        for item in items:
            await super().restore_checkpoints([item])


@fault("list, prune, scan")
class ListsData(InMemoryCheckpointStore):
    """Lists the data too."""

    async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
        found = await super().list_checkpoints(metadata_filter=metadata_filter, limit=limit, newest_first=newest_first)
        return [{**info, "data": {}} for info in found]


@fault("list, prune, scan")
class PrunesTheNewest(InMemoryCheckpointStore):
    """Keeps the oldest when it prunes."""

    async def prune(self, keep_last):
        await super().prune(10**6 if type(keep_last) is int and keep_last >= 0 else keep_last)
        newest = await self.list_checkpoints(newest_first=True)
        gone = newest[: max(0, len(newest) - keep_last)]
        return sum([await self.delete_checkpoint(info["checkpoint_id"]) for info in gone])


@pytest.mark.parametrize(("faulty", "group"), FAULTS)
def test_finds_a_fault_in_its_group(faulty, group, tmp_path):
    report = check(faulty, tmp_path, {group})
    assert report.failed, f"nothing failed:\n{report}"
    assert {outcome.sentence.group for outcome in report.failed} == {group}


@pytest.mark.parametrize("backend_type", BackendType)
def test_every_group_has_a_fault_that_it_finds(backend_type):
    covered = {param.values[1] for param in FAULTS}
    assert {sentence.group for sentence in sentences(backend_type)} <= covered


@pytest.mark.parametrize("provider", [InMemoryVectorStore, InMemoryKnowledgeGraph, InMemoryCheckpointStore])
def test_finds_nothing_in_a_healthy_provider(provider, tmp_path):
    report = check(provider, tmp_path)
    assert not report.failed, str(report)
    assert len(report.passed) + len(report.skipped) == len(sentences(provider.backend_type))
    assert {outcome.skipped for outcome in report.skipped} == {"the provider does not persist"}


def test_skips_what_a_graph_cannot_list_and_says_why(tmp_path):
    report = check(DictGraph, tmp_path, {"listing", "filters", "entities"})
    assert not report.failed, str(report)
    assert {outcome.sentence.group for outcome in report.skipped} == {"listing", "filters"}
    assert "scan_entities" in report.skipped[0].skipped


def test_skips_filters_that_a_provider_says_it_cannot_express(tmp_path):
    class NoContains(InMemoryCheckpointStore):
        async def list_checkpoints(self, *, metadata_filter=None, limit=None, newest_first=False):
            if "$contains" in str(metadata_filter):
                raise UnsupportedFilterError("no $contains here")
            return await super().list_checkpoints(
                metadata_filter=metadata_filter, limit=limit, newest_first=newest_first
            )

    report = check(NoContains, tmp_path, {"filters"})
    assert not report.failed, str(report)
    assert {outcome.skipped for outcome in report.skipped} == {"no $contains here"}
    assert len(report.passed) > len(report.skipped)


def test_does_not_take_an_unsupported_operation_for_a_skip_where_the_contract_allows_none(tmp_path):
    class NoCount(InMemoryCheckpointStore):
        async def count(self):
            raise UnsupportedFilterError.__base__("no count here")

    assert check(NoCount, tmp_path, {"list, prune, scan"}).failed


def test_a_report_reads_as_a_line_for_each_sentence_and_the_reason_of_each_failure(tmp_path):
    text = str(check(AlwaysDeleted, tmp_path, {"add, get, delete"}))
    failed = "FAILED  add, get, delete: delete says whether the id was there, and no operation finds it any more"
    assert failed in text
    assert "passed  add, get, delete: get gives None for an unknown id" in text
    assert 'assert await store.delete("b") is False' in text
    assert "1 failed, 0 skipped" in text


@pytest.mark.parametrize("backend_type", BackendType)
def test_sentences_have_different_texts(backend_type):
    texts = [str(sentence) for sentence in sentences(backend_type)]
    assert len(set(texts)) == len(texts)
