"""Faults in vector stores."""

# mypy: ignore-errors
# (faults are short, and as untyped as users write them)

import re
from dataclasses import replace
from operator import itemgetter

import numpy as np

from symphony_registry.backends.filters import ANYTHING, parse_filter
from symphony_registry.backends.parts import Parts
from symphony_registry.backends.selection import EVERYTHING, check_range
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.errors import (
    InvalidValueError,
)
from symphony_registry.providers.embedded.replica import IN_MEMORY
from tests.helpers.faults.planted import fault
from tests.helpers.plain import DictVectorStore


@fault("filters")
@fault("items.counted_matching")
class CountsEverything(InMemoryVectorStore):
    """Does not apply the filter when it counts."""

    async def count(self, metadata_filter=None, **selection):
        await super().count(metadata_filter, **selection)
        return await super().count(**selection)


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

    async def _search(self, queries, limit, condition, **options):
        found = await super()._search(queries, limit + 1, condition, **options)
        return [results[1:] if len(results) > limit else results for results in found]


@fault("search.equals_cut")
class OrdersAfterTheLimit(InMemoryVectorStore):
    """Cuts at the limit before it orders equals."""

    async def _search(self, queries, limit, condition, **options):
        found = await super()._search(queries, 10**6, condition, **options)
        last = [sorted(results, key=itemgetter("similarity", "id"), reverse=True)[:limit] for results in found]
        return [sorted(results, key=lambda each: (-each["similarity"], each["id"])) for results in last]


@fault("search.enough")
@fault("search.enough_filtered")
class HasFewCandidates(InMemoryVectorStore):
    """Filters some of the nearest, as an approximate index may, and leaves it at what remains of them."""

    guarantees = replace(IN_MEMORY, exact_search=False)

    async def _search(self, queries, limit, condition, **options):
        found = await super()._search(queries, 1_000, ANYTHING, **options)
        return [[each for each in near if condition.matches(each["metadata"])][:limit] for near in found]


@fault("vectors")
class TakesZeroVectors(InMemoryVectorStore):
    """Answers a search for the zero vector, which has no cosine."""

    async def search(self, query_vector, limit=10, metadata_filter=None, **options):
        if isinstance(query_vector, list) and query_vector and all(number == 0 for number in query_vector):
            return []
        return await super().search(query_vector, limit, metadata_filter, **options)


@fault("search")
class ScalesCosine(InMemoryVectorStore):
    """Gives the cosine in [0, 1]."""

    async def search(self, query_vector, limit=10, metadata_filter=None, **options):
        found = await super().search(query_vector, limit, metadata_filter, **options)
        return [{**result, "similarity": (1 + result["similarity"]) / 2} for result in found]


@fault("search")
class FiltersAfterTheLimit(DictVectorStore):
    """Cuts at the limit before it filters."""

    async def search(self, query_vector, limit=10, metadata_filter=None, **options):
        best = await super().search(query_vector, limit, **options)
        matching = await super().search(query_vector, 10**6, metadata_filter, include_vectors=False)
        ids = {result["id"] for result in matching}
        return [result for result in best if result["id"] in ids]


@fault("search")
class AlwaysIncludesVectors(InMemoryVectorStore):
    """Returns vectors that nobody asked for."""

    async def search(self, query_vector, limit=10, metadata_filter=None, **options):
        return await super().search(query_vector, limit, metadata_filter, **{**options, "include_vectors": True})


@fault("bulk")
class FirstWins(InMemoryVectorStore):
    """Keeps the first of equal ids in a bulk."""

    async def add_many(self, items):
        items = list(items) if not isinstance(items, int) else items
        await super().add_many(reversed(items) if isinstance(items, list) else items)


@fault("bulk")
class CountsTwice(InMemoryVectorStore):
    """Counts an id twice that is deleted twice in a bulk."""

    async def delete_many(self, ids=None, **selection):
        if ids is None:
            return await super().delete_many(**selection)
        ids = list(ids)
        there = sum([await self.get(id) is not None for id in ids])
        await super().delete_many(ids, **selection)
        return there


@fault("scan")
class SkipsTheRest(InMemoryVectorStore):
    """Scans only the first batch."""

    async def scan(self, batch_size=1000, **selection):
        number = 0
        async for item in super().scan(batch_size, **selection):
            number += 1
            if number > batch_size:
                return
            yield item


@fault("finding.by_prefix")
class TakesAPrefixForAPattern(InMemoryVectorStore):
    """Selects by a pattern, in which % and _ stand for others."""

    async def find(self, *, prefix="", **options):
        found = await super().find(**options)
        check_range(prefix)
        pattern = re.escape(prefix).replace("%", ".*").replace("_", ".")
        return [item for item in found if re.match(pattern, item["id"], re.DOTALL)]


@fault("finding.by_bounds")
class IncludesTheBound(InMemoryVectorStore):
    """Takes `before` for inclusive."""

    async def find(self, **selection):
        found = await super().find(**selection)
        last = await super().get_many([selection["before"]] if selection.get("before") else [])
        return found + [item for item in last if item and item["id"].startswith(selection.get("prefix", ""))]


@fault("finding.by_both")
class LimitsBeforeItFilters(InMemoryVectorStore):
    """Cuts at the limit before it filters what it lists."""

    async def find(self, *, metadata_filter=None, **selection):
        matching = parse_filter(metadata_filter).matches
        return [item for item in await super().find(**selection) if matching(item["metadata"])]


@fault("finding.without_vectors")
class AlwaysListsVectors(InMemoryVectorStore):
    """Lists vectors that nobody asked for."""

    async def _find(self, selection, page, *, include_vectors):
        return await super()._find(selection, page, include_vectors=True)


@fault("finding.without_vectors")
class AlwaysGetsVectors(InMemoryVectorStore):
    """Gives the vectors of ids that nobody asked for."""

    async def _get(self, ids, *, include_vectors):
        return await super()._get(ids, include_vectors=True)


@fault("finding.nothing_by_a_forgotten_argument")
class ClearsByAForgottenArgument(InMemoryVectorStore):
    """Deletes everything where nothing is selected."""

    async def delete_many(self, ids=None, **selection):
        if ids is None and not any(selection.values()):
            return await self._delete(EVERYTHING)
        return await super().delete_many(ids, **selection)


@fault("finding.similar_enough")
class WantsMore(InMemoryVectorStore):
    """Leaves out what is exactly as similar as asked for."""

    async def _search(self, queries, limit, condition, *, min_similarity, **options):
        least = np.nextafter(min_similarity, np.inf)
        return await super()._search(queries, limit, condition, min_similarity=least, **options)


@fault("updating.merges")
class ReplacesMetadata(InMemoryVectorStore):
    """Takes an update for all of the metadata."""

    async def _update(self, id, changes):
        item = await self.get(id)
        return item is not None and not await self.add(id, item["vector"], changes)


@fault("updating.filtered")
class FiltersByWhatWas(InMemoryVectorStore):
    """Filters by the metadata that an id was added with."""

    async def _update(self, id, changes):
        columns = self._data.state._columns
        replace, columns.replace = columns.replace, lambda row, metadata: None
        try:
            return await super()._update(id, changes)
        finally:
            columns.replace = replace


@fault("updating.persisted")
class ForgetsUpdates(FileVectorStore):
    """Does not persist an update."""

    def _log(self):
        log = super()._log()
        append = log.append
        log.append = lambda groups: append(
            [[change for change in group if change["op"] != "update"] for group in groups]
        )
        return log
