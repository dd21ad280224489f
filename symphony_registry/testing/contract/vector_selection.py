"""Sentences about selecting vectors: by the beginning of their ids, by bounds, by filters, by similarity."""

from typing import Any

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.testing.contract.vector_search import fill, ids_of
from symphony_registry.testing.contract.vectors import VectorHarness
from symphony_registry.testing.expectations import assert_same, collect, refused
from symphony_registry.testing.ranges import BOUNDS, IDS, PREFIXES
from symphony_registry.testing.sentence import Group

finding = Group("finding", BackendType.VECTOR_STORE)


async def _add_all(store: VectorStoreBackend) -> None:
    await store.add_many(
        [(id, [1.0, 2.0, float(number)], {"n": number, "even": number % 2 == 0}) for number, id in enumerate(IDS)][::-1]
    )


async def _found(store: VectorStoreBackend, **selection: Any) -> list[str]:
    return [item["id"] for item in await store.find(**selection)]


@finding.sentence("find gives items as get does, by id, and from the last id back with reverse")
async def by_id(harness: VectorHarness) -> None:
    async with harness.open() as store:
        assert await store.find() == []
        assert await store.find(prefix="a", include_vectors=False) == []
        await _add_all(store)
        found = await store.find()
        assert [item["id"] for item in found] == IDS
        assert_same(found, await store.get_many(IDS), "the items")
        assert await _found(store, reverse=True) == IDS[::-1]
        assert await _found(store, limit=3) == IDS[:3]
        assert await _found(store, limit=3, reverse=True) == IDS[:-4:-1]
        assert await _found(store, prefix="a/", limit=1, reverse=True) == ["a/2"]


@finding.sentence("find and get_many leave the vectors out without include_vectors")
async def without_vectors(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _add_all(store)
        expected = [{"id": id, "metadata": {"n": n, "even": n % 2 == 0}} for n, id in enumerate(IDS)]
        assert_same(await store.find(include_vectors=False), expected, "the items")
        assert_same(await store.find(prefix="b", limit=1, include_vectors=False), expected[7:8], "the item")
        ids = [IDS[2], "nobody", IDS[0], IDS[2]]
        found = await store.get_many(ids, include_vectors=False)
        assert_same(found, [expected[2], None, expected[0], expected[2]], "the items by their ids")
        assert await store.get_many([], include_vectors=False) == []


@finding.sentence("a prefix selects the ids that begin with it, whatever characters it has")
async def by_prefix(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _add_all(store)
        for prefix in PREFIXES:
            expected = [id for id in IDS if id.startswith(prefix)]
            assert await _found(store, prefix=prefix) == expected, f"the prefix {prefix!a}"
            assert await store.count(prefix=prefix) == len(expected), f"the prefix {prefix!a}"
            scanned = [item["id"] for item in await collect(store.scan(2, prefix=prefix))]
            assert scanned == expected, f"the prefix {prefix!a}, scanned"


@finding.sentence("after and before are exclusive bounds, and need not be there")
async def by_bounds(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _add_all(store)
        for after in BOUNDS:
            for before in BOUNDS:
                expected = [id for id in IDS if (after is None or id > after) and (before is None or id < before)]
                assert await _found(store, after=after, before=before) == expected, f"{after!a}, {before!a}"
        assert await _found(store, prefix="a/", after="a/1") == ["a/10", "a/2"]
        assert await _found(store, prefix="a/", after="a", before="a/2") == ["a/1", "a/10"]
        assert await _found(store, prefix="b", after="c") == []
        assert await store.count(after="a", before="b") == 4
        assert [item["id"] for item in await collect(store.scan(1, after="a", before="b"))] == IDS[3:7]


@finding.sentence("a filter and a range of ids select together, before the limit cuts", needs="filters")
async def by_both(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _add_all(store)
        even, few = {"even": True}, {"n": {"$gte": 12}}
        assert await _found(store, metadata_filter=even) == IDS[::2]
        assert await _found(store, metadata_filter=even, limit=2) == IDS[:4:2]
        assert await _found(store, metadata_filter=even, limit=2, reverse=True) == IDS[:-4:-2]
        assert await _found(store, metadata_filter=few, reverse=True) == IDS[:-4:-1]
        assert await _found(store, prefix="a", metadata_filter=even) == ["a", "a/10", "a0"]
        assert await _found(store, after="a", metadata_filter=even, limit=1) == ["a/10"]
        assert await store.count(even, prefix="a") == 3
        assert await store.count(even, after="a", before="a0") == 1
        for size in (1, 2, 1000):
            scanned = await collect(store.scan(size, prefix="a", metadata_filter=even))
            assert_same(scanned, await store.find(prefix="a", metadata_filter=even), "the items scanned")
            scanned = await collect(store.scan(size, metadata_filter=few))
            assert_same(scanned, await store.get_many(IDS[12:]), "the items scanned by a filter")


@finding.sentence("what is written is selected at once, what is deleted not any more")
async def kept_up(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _add_all(store)
        await store.delete("a/1")
        await store.add("a/11", [1.0, 2.0, 3.0])
        await store.add("a", [1.0, 2.0, 3.0])
        assert await _found(store, prefix="a") == ["a", "a/10", "a/11", "a/2", "a0"]
        assert await store.count(prefix="a/") == 3
        await store.clear()
        assert await _found(store) == []
        await store.add("a/3", [1.0, 2.0, 3.0])
        assert await _found(store, prefix="a/") == ["a/3"]


@finding.sentence("delete_many deletes what is selected, and gives how many were there")
async def delete(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _add_all(store)
        assert await store.delete_many(prefix="a/") == 3
        assert await store.delete_many(prefix="a/") == 0
        assert await store.delete_many(after="\ud7ff") == 4
        assert await store.delete_many(prefix="b", before="b_") == 1
        left = ["%", "A", "a", "a0", "b_", "é", "\ud7ff"]
        assert await _found(store) == left
        assert sorted(ids_of(await store.search([1.0, 2.0, 3.0], 100))) == left
        assert await store.get("a/1") is None
        await store.add("a/1", [1.0, 2.0, 3.0])
        assert await _found(store, prefix="a/") == ["a/1"]


@finding.sentence("delete_many by a filter", needs="filters")
async def delete_by_filter(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await _add_all(store)
        assert await store.delete_many(metadata_filter={"n": {"$lt": 3}}) == 3
        assert await store.delete_many(prefix="a", metadata_filter={"even": True}) == 2
        assert await store.delete_many(metadata_filter={"n": -1}) == 0
        assert await _found(store) == ["a/1", "a/2", *IDS[7:]]


@finding.sentence("deletion without ids and without a selection raises, as with both, and deletes nothing")
async def nothing_by_a_forgotten_argument(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await fill(store)
        calls: list[tuple[list[Any], dict[str, Any]]] = [
            ([], {}),
            ([None], {"metadata_filter": {}}),
            ([], {"prefix": "", "after": ""}),
            ([["west"]], {"prefix": "w"}),
            ([[]], {"after": "a"}),
        ]
        for arguments, options in calls:
            with refused(f"delete_many with {arguments} and {options}"):
                await store.delete_many(*arguments, **options)
        assert await store.count() == 4


@finding.sentence("bounds that are no text of ids raise")
async def refused_bounds(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await fill(store)
        for bound in (1, b"a", True, "\0", "\ud800", "x" * 513, ["a"]):
            for name in ("prefix", "after", "before"):
                given: dict[str, Any] = {name: bound}
                for what, call in (("find", store.find), ("count", store.count), ("delete_many", store.delete_many)):
                    with refused(f"{what} with {name}={bound!r}"):
                        await call(**given)
                with refused(f"scan with {name}={bound!r}"):
                    await collect(store.scan(**given))
        for wrong in (1, None, "yes"):
            with refused(f"reverse={wrong!r}"):
                await store.find(reverse=wrong)  # type: ignore[arg-type]
            with refused(f"include_vectors={wrong!r}"):
                await store.find(include_vectors=wrong)  # type: ignore[arg-type]
            with refused(f"get_many with include_vectors={wrong!r}"):
                await store.get_many([], include_vectors=wrong)  # type: ignore[arg-type]
        assert await store.count() == 4


@finding.sentence("search and search_many give only what is at least as similar as min_similarity")
async def similar_enough(harness: VectorHarness) -> None:
    for metric in ("cosine", "dot", "euclidean"):
        async with harness.open(metric=metric) as store:
            await fill(store)
            query = [1.0, 0.5, 0.0]
            everything = await store.search(query)
            for result in everything:
                least = result["similarity"]
                expected = [each for each in everything if each["similarity"] >= least]
                found = await store.search(query, min_similarity=least)
                assert_same(found, expected, f"what is at least as similar by {metric}")
                together = await store.search_many([query, query], 2, min_similarity=least)
                assert_same(together, [expected[:2]] * 2, f"what is at least as similar by {metric}, together")
            assert await store.search(query, min_similarity=everything[0]["similarity"] + 1) == []
            assert_same(await store.search(query, min_similarity=None), everything, "the results")


@finding.sentence("min_similarity is a finite float, and everything else raises")
async def refused_similarities(harness: VectorHarness) -> None:
    async with harness.open() as store:
        await fill(store)
        for wrong in (1, True, "0.5", float("nan"), float("inf"), [0.5]):
            with refused(f"min_similarity={wrong!r}"):
                await store.search([1.0, 0.0, 0.0], min_similarity=wrong)  # type: ignore[arg-type]
            with refused(f"search_many with min_similarity={wrong!r}"):
                await store.search_many([], min_similarity=wrong)  # type: ignore[arg-type]


@finding.sentence("metric is the option, by default cosine")
async def metric(harness: VectorHarness) -> None:
    async with harness.open() as store:
        assert store.metric == "cosine"
    for option in ("cosine", "dot", "euclidean"):
        async with harness.open(metric=option) as store:
            assert store.metric == option
