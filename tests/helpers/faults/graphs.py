"""Faults in knowledge graphs."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

import asyncio

from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from tests.helpers.faults.planted import fault
from tests.helpers.plain import DictGraph


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


@fault("entities.update_with_nothing")
class TakesNoneForNothing(InMemoryKnowledgeGraph):
    """Takes None as properties to update."""

    async def update_entity(self, entity_id, properties):
        return await super().update_entity(entity_id, properties or {})


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

    async def get_relations(self, entity_id, relation_type=None, direction="outgoing", **page):
        if direction == "both":
            outgoing = await super().get_relations(entity_id, relation_type, "outgoing", **page)
            return outgoing + await super().get_relations(entity_id, relation_type, "incoming", **page)
        return await super().get_relations(entity_id, relation_type, direction, **page)


@fault("relations.pages")
class RepeatsTheLast(InMemoryKnowledgeGraph):
    """Begins with the relation that the wanted ones follow."""

    async def _get_relations(self, entity_id, relation_type, direction, after, limit):
        found = await super()._get_relations(entity_id, relation_type, direction, None, None)
        keys = [(each["from_id"], each["to_id"], each["type"]) for each in found]
        return [each for each, key in zip(found, keys, strict=True) if after is None or key >= after][:limit]


@fault("relations.pages")
class LimitsEachSide(InMemoryKnowledgeGraph):
    """Cuts at the limit before it puts both directions in order."""

    async def _get_relations(self, entity_id, relation_type, direction, after, limit):
        if direction != "both":
            return await super()._get_relations(entity_id, relation_type, direction, after, limit)
        outgoing = await super()._get_relations(entity_id, relation_type, "outgoing", after, limit)
        incoming = await super()._get_relations(entity_id, relation_type, "incoming", after, limit)
        return (outgoing + [each for each in incoming if each not in outgoing])[:limit]


@fault("relations.after_refused")
class FollowsAnything(InMemoryKnowledgeGraph):
    """Takes what is no relation for one to follow, and begins at the beginning."""

    async def get_relations(self, entity_id, relation_type=None, direction="outgoing", *, after=None, limit=None):
        return await super().get_relations(entity_id, relation_type, direction, after=after or None, limit=limit)


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


@fault("several")
class OverwritesEntities(InMemoryKnowledgeGraph):
    """Counts what is absent, and stores everything."""

    async def add_entities(self, items, *, if_absent=False):
        given = list(items)
        count = await super().add_entities(given, if_absent=if_absent)
        await super().add_entities(given)
        return count


@fault("several")
class LooksThenAdds(InMemoryKnowledgeGraph):
    """Looks which entities are absent, and stores them later."""

    async def add_entities(self, items, *, if_absent=False):
        given = list(items)
        if if_absent is not True:
            return await super().add_entities(given, if_absent=if_absent)
        there = [item[0] for item in given if await self.get_entity(item[0])]
        await asyncio.sleep(0)
        absent = {item[0]: item for item in reversed(given) if item[0] not in there}
        return await super().add_entities(absent.values())


@fault("several")
class LeavesTheirRelations(DictGraph):
    """Deletes entities without their relations."""

    async def delete_entities(self, ids=None, **selection):
        given = None if ids is None else list(ids)
        kept = dict(self.relations)
        count = await super().delete_entities(given, **selection)
        self.relations = kept
        return count


@fault("atomicity")
class DeletesEntitiesInSteps(InMemoryKnowledgeGraph):
    """Deletes one entity after the other, until it is cancelled."""

    async def delete_entities(self, ids=None, **selection):
        if ids is None:
            return await super().delete_entities(ids, **selection)
        count = 0
        for id in ids:
            count += await self.delete_entity(id)
            await asyncio.sleep(0)
        return count


@fault("several.delete_relations")
class CountsRelationsTwice(InMemoryKnowledgeGraph):
    """Counts a relation twice that is deleted twice in a bulk."""

    async def delete_relations(self, keys=None, **selection):
        given = list(keys) if isinstance(keys, list) else keys
        found = [await self.get_relations(key[0], key[2]) for key in given or [] if isinstance(key, tuple) and key[2:]]
        count = await super().delete_relations(given, **selection)
        return sum(map(bool, found)) if count else count


@fault("several.delete_relations")
class TakesTheWayBack(InMemoryKnowledgeGraph):
    """Deletes a relation in the other direction too."""

    async def _delete_relations(self, keys):
        count = await super()._delete_relations(keys)
        await super()._delete_relations([(to_id, from_id, kind) for from_id, to_id, kind in keys])
        return count


@fault("several.forgotten_argument")
class DeletesRelationsByAForgottenArgument(InMemoryKnowledgeGraph):
    """Deletes every relation where nothing says which."""

    async def delete_relations(self, keys=None, *, relation_types=None):
        if keys is None and relation_types is None:
            return await self._delete_types(list(self._data.state._relations.counts))
        return await super().delete_relations(keys, relation_types=relation_types)


@fault("atomicity")
class DeletesRelationsInSteps(InMemoryKnowledgeGraph):
    """Deletes one relation after the other, until it is cancelled."""

    async def _delete_relations(self, keys):
        count = 0
        for key in keys:
            count += await super()._delete_relations([key])
            await asyncio.sleep(0)
        return count


@fault("selecting.of_types")
class TakesNoTypesForAll(InMemoryKnowledgeGraph):
    """Scans everything where no type is wanted."""

    def _relation_batches(self, size, relation_types):
        return super()._relation_batches(size, relation_types or None)


@fault("selecting.of_types")
class DeletesTheFirstType(InMemoryKnowledgeGraph):
    """Deletes the relations of one of the types alone."""

    async def _delete_types(self, relation_types):
        return await super()._delete_types(relation_types[:1])


@fault("selecting")
class DeletesEveryType(InMemoryKnowledgeGraph):
    """Does not look at the type of what it deletes."""

    async def delete_entities(self, ids=None, *, entity_type=None, prefix="", **selection):
        kind = None if prefix or selection else entity_type
        return await super().delete_entities(ids, entity_type=kind, prefix=prefix, **selection)


@fault("selecting")
class SortsOnce(InMemoryKnowledgeGraph):
    """Does not see what was added since it first sorted its entities."""

    async def add_entity(self, entity_id, entity_type, properties=None):
        order = self._data.state._order
        self._data.state._order = None
        await super().add_entity(entity_id, entity_type, properties)
        self._data.state._order = order


@fault("subgraph")
class CutsById(InMemoryKnowledgeGraph):
    """Leaves out the last by id, also where they are near."""

    async def subgraph(self, entity_ids, depth=1, *, limit=1000, **options):
        found = await super().subgraph(entity_ids, depth, limit=None if type(limit) is int else limit, **options)
        kept = {entity["id"] for entity in sorted(found["entities"], key=lambda entity: entity["id"])[:limit]}
        return {
            "entities": [entity for entity in found["entities"] if entity["id"] in kept],
            "relations": [each for each in found["relations"] if {each["from_id"], each["to_id"]} <= kept],
        }


@fault("subgraph")
class LeadsOut(InMemoryKnowledgeGraph):
    """Gives relations to entities that it leaves out."""

    async def subgraph(self, entity_ids, depth=1, **options):
        given = list(entity_ids) if isinstance(entity_ids, list | tuple) else entity_ids
        found = await super().subgraph(given, depth, **options)
        ids = sorted(entity["id"] for entity in found["entities"])
        types = options.get("relation_types")
        relations = [each for id in ids for each in await self.get_relations(id) if not types or each["type"] in types]
        return {**found, "relations": relations}
