"""Approximate search: what it finds is scored exactly, what is deleted stays away, and its graph is never trusted."""

import asyncio
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.backends.vector_store.base import Float32s, Metric
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.errors import ProviderImportError
from symphony_registry.providers.embedded.journal.snapshot import checksum
from symphony_registry.providers.embedded.vectors import approximate, codec, following, neighbours
from symphony_registry.providers.embedded.vectors.index import VectorIndex
from tests.helpers.fakes import search

METRICS: list[Metric] = ["cosine", "dot", "euclidean"]
DIMENSION = 16
EVEN = parse_filter({"even": True})


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approximate, "_FEWEST", 1)
    monkeypatch.setattr(approximate, "_SHARE", 2)
    monkeypatch.setattr(approximate, "_WAITING", 4)
    monkeypatch.setattr(codec, "_LARGE", 0)


def clustered(count: int, seed: int = 0) -> Float32s:
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(20, DIMENSION))
    return (centres[random.integers(20, size=count)] + random.normal(size=(count, DIMENSION)) / 3).astype(np.float32)


def put(index: VectorIndex, ids: list[str], vectors: Float32s) -> None:
    documents = [{"even": not int(id) % 2, "third": not int(id) % 3} for id in ids]
    index.apply({"op": "put", "ids": ids, "vectors": vectors.copy(), "metadata": documents})


def catch_up(index: VectorIndex) -> None:
    while (part := index.next_part()) is not None:
        part()


def of(count: int, metric: Metric = "cosine", **options: Any) -> VectorIndex:
    index = VectorIndex(HNSWOptions(index="hnsw", metric=metric, **options))
    put(index, [f"{number}" for number in range(count)], clustered(count))
    catch_up(index)
    return index


def exact(index: VectorIndex, metric: Metric) -> VectorIndex:
    """Return an index of the same vectors without a graph."""
    other = VectorIndex(HNSWOptions(metric=metric))
    for change in index.changes():
        other.apply(change)
    return other


@pytest.mark.parametrize("metric", METRICS)
def test_nearly_all_of_the_nearest_are_found_and_scored_as_an_exact_search_does(metric: Metric) -> None:
    index = of(2000, metric)
    assert index.approximate.can_find(2000, 10)
    reference, hits = exact(index, metric), 0
    for query in clustered(50, seed=1):
        found, best = search(index, query, 10), search(reference, query, 10)
        assert len(found) == 10
        assert set(found) <= set(search(reference, query, 2000))
        hits += len(set(found) & set(best))
    assert hits >= 475


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_written_what_is_found_is_there_and_scored_exactly(metric: Metric, seed: int) -> None:
    random = np.random.default_rng(seed)
    index = of(60, metric)
    for step in range(150):
        ids = [str(number) for number in random.choice(80, random.integers(1, 5), replace=False)]
        if random.random() < 0.5:
            put(index, ids, clustered(len(ids), seed=int(random.integers(1000))))
        else:
            index.apply({"op": "delete_many", "ids": [id for id in ids if id in index.rows]})
        if random.random() < 0.7 and (part := index.next_part()) is not None:
            part()
        if not len(index):
            continue
        query, limit = clustered(1, seed=step)[0], int(random.integers(1, 12))
        rows = index.matching(EVEN) if random.random() < 0.5 else None
        allowed = dict.fromkeys(index.rows if rows is None else index.ids_of(rows))
        everything = {id: value for value, id in search(exact(index, metric), query, len(index))}
        found = search(index, query, limit, rows)
        assert len(found) == min(limit, len(allowed))
        assert all(id in allowed and everything[id] == value for value, id in found)
        assert found == sorted(found, key=lambda each: (-each[0], each[1]))


def test_a_filter_that_keeps_much_is_searched_by_the_graph_and_one_that_keeps_little_exactly() -> None:
    index = of(1000)
    even, third = index.matching(EVEN), index.matching(parse_filter({"third": True}))
    assert index.approximate.can_find(even.size, 10)
    assert not index.approximate.can_find(third.size, 10)
    for rows in (even, third):
        found = search(index, clustered(1, seed=5)[0], 10, rows)
        assert {id for _, id in found} <= set(index.ids_of(rows))


def test_a_few_vectors_that_wait_are_found_and_of_many_the_search_is_exact() -> None:
    index, query = of(200), clustered(1, seed=3)[0]
    put(index, ["1000"], query[np.newaxis])
    assert index.approximate.can_find(len(index), 1)
    assert search(index, query, 1) == [(1.0, "1000")]
    put(index, [str(number) for number in range(1001, 1010)], clustered(9))
    assert index.approximate.is_behind()
    assert search(index, query, 20) == search(exact(index, "cosine"), query, 20)


def test_where_all_that_is_near_was_deleted_no_fewer_are_found() -> None:
    index, query = of(300), clustered(1, seed=3)[0]
    index.apply({"op": "delete_many", "ids": [id for _, id in search(exact(index, "cosine"), query, 90)]})
    assert index.approximate.can_find(len(index), 10)
    assert search(index, query, 10) == search(exact(index, "cosine"), query, 10)


def test_no_search_uses_the_graph_while_a_thread_adds_to_it() -> None:
    index = of(200)
    put(index, [str(number) for number in range(1000, 1010)], clustered(10))
    part = index.next_part()
    assert part is not None
    assert not index.approximate.can_find(len(index), 1)
    assert index.next_part() is None
    part()
    assert index.approximate.can_find(len(index), 1)


def test_what_a_thread_adds_during_a_search_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    index, query = of(200), clustered(1, seed=3)[0]
    put(index, ["1000"], query[np.newaxis])
    graph = index.approximate._graph
    asked = graph.search

    def search_before_a_part_is_added(vector: Float32s, count: int) -> Any:
        found = asked(vector, count)
        catch_up(index)
        return found

    monkeypatch.setattr(graph, "search", search_before_a_part_is_added)
    assert search(index, query, 1) == [(1.0, "1000")]


def test_the_graph_is_made_anew_when_a_third_of_it_was_replaced() -> None:
    index = of(300)
    put(index, [str(number) for number in range(140)], clustered(140, seed=1))
    catch_up(index)
    assert index.approximate.unsaved == 440
    put(index, [str(number) for number in range(140, 160)], clustered(20, seed=1))
    assert index.approximate.is_behind()
    catch_up(index)
    assert index.approximate.unsaved < 320


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
def test_numbers_that_float16_cannot_hold_are_searched_exactly(metric: Metric) -> None:
    index = of(200, metric)
    put(index, [str(number) for number in range(1000, 1010)], clustered(10) * np.float32(1e9))
    catch_up(index)
    assert not index.approximate.can_find(len(index), 1)
    assert search(index, clustered(1)[0], 5) == search(exact(index, metric), clustered(1)[0], 5)


def recall(index: VectorIndex, metric: Metric, queries: Float32s) -> float:
    """Return the share of the ten nearest that is found."""
    reference = exact(index, metric)
    hits = [len(set(search(index, query, 10)) & set(search(reference, query, 10))) for query in queries]
    return sum(hits) / (10 * len(queries))


@pytest.mark.parametrize(("metric", "count", "factor"), [("dot", 10, 10), ("euclidean", 10, 1e6)])
def test_a_few_long_vectors_hide_nothing(metric: Metric, count: int, factor: float) -> None:
    index, vectors = VectorIndex(HNSWOptions(index="hnsw", metric=metric)), clustered(2000)
    vectors[1000 : 1000 + count] *= factor
    put(index, [f"{number}" for number in range(2000)], vectors)
    catch_up(index)
    assert not index.approximate.can_find(2000, 10)
    assert recall(index, metric, clustered(20, seed=1)) == 1
    index.apply({"op": "delete_many", "ids": [f"{number}" for number in range(1000, 1000 + count)]})
    catch_up(index)
    assert index.approximate.can_find(1990, 10)


def test_many_vectors_of_zeros_hide_no_others() -> None:
    index, vectors = VectorIndex(HNSWOptions(index="hnsw", metric="euclidean")), clustered(2000)
    vectors[::5] = 0
    put(index, [f"{number}" for number in range(2000)], vectors)
    catch_up(index)
    assert index.approximate.can_find(2000, 10)
    assert recall(index, "euclidean", clustered(50, seed=1)) > 0.95


def test_a_query_too_short_for_float16_is_answered_exactly() -> None:
    index, vectors = VectorIndex(HNSWOptions(index="hnsw", metric="euclidean")), clustered(2000)
    vectors[::3] *= 1e-12
    put(index, [f"{number}" for number in range(2000)], vectors)
    catch_up(index)
    assert index.approximate.can_find(2000, 10)
    assert recall(index, "euclidean", clustered(20, seed=1) * np.float32(1e-12)) == 1


@pytest.mark.parametrize("metric", METRICS)
def test_many_copies_of_a_vector_hide_neither_themselves_nor_others(metric: Metric) -> None:
    index = VectorIndex(HNSWOptions(index="hnsw", metric=metric))
    random = np.random.default_rng(0)
    vectors = random.permutation(np.repeat(random.normal(size=(60, 16)).astype(np.float32), 100, axis=0))
    put(index, [f"{number}" for number in range(6000)], vectors)
    catch_up(index)
    reference = exact(index, metric)
    for query in vectors[:60]:
        best, found = search(reference, query, 10), search(index, query, 10)
        assert [similarity for similarity, _ in found] == [similarity for similarity, _ in best]


def restored(arrays: dict[str, Any], **options: Any) -> VectorIndex:
    return VectorIndex.restored(HNSWOptions(index="hnsw", **options), arrays)


def test_a_graph_is_restored_and_goes_on() -> None:
    index = of(300)
    index.apply({"op": "delete_many", "ids": ["7", "299"]})
    put(index, ["8", "300", "301"], clustered(3, seed=2))
    again = restored(index.arrays())
    again.apply({"op": "delete_many", "ids": ["9"]})
    assert again.approximate.is_behind()  # until it is loaded
    catch_up(again)
    index.apply({"op": "delete_many", "ids": ["9"]})
    catch_up(index)
    assert again.approximate.unsaved == 3
    for query in clustered(20, seed=4):
        assert search(again, query, 5) == search(index, query, 5)


def test_a_graph_that_was_made_with_other_options_is_made_anew() -> None:
    index = of(300)
    again = restored(index.arrays(), m=8)
    catch_up(again)
    assert again.approximate.unsaved == 300
    assert search(again, clustered(1)[0], 5) == search(index, clustered(1)[0], 5)


def test_a_damaged_graph_is_made_anew() -> None:
    index = of(300)
    expected = search(index, clustered(1)[0], 5)
    for place in range(0, len(index.arrays()["graph"]), 997):
        arrays = index.arrays()
        arrays["graph"] = arrays["graph"].copy()
        arrays["graph"][place] ^= 0x81
        again = restored(arrays)
        assert search(again, clustered(1)[0], 5) == expected
        part = again.next_part()
        assert part is not None
        assert "checksum" in str(part())
        catch_up(again)
        assert search(again, clustered(1)[0], 5) == expected


def test_a_graph_that_usearch_cannot_read_is_made_anew() -> None:
    index = of(300)
    arrays = index.arrays()
    arrays["graph"] = arrays["graph"][:-1].copy()
    arrays["recipe"][-1] = checksum(arrays["graph"])
    again = restored(arrays)
    catch_up(again)
    assert again.approximate.can_find(300, 5)
    assert again.approximate.unsaved == 300  # so that closing replaces it
    assert search(again, clustered(1)[0], 5) == search(index, clustered(1)[0], 5)


async def filled(store: Any, count: int) -> None:
    vectors = clustered(count)
    await store.add_many([(f"{number}", vector, {"n": number}) for number, vector in enumerate(vectors)])


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {"path": tmp_path / "data", "index": "hnsw"}


async def test_a_store_follows_its_writes_and_keeps_the_graph(options: dict[str, Any]) -> None:
    query = clustered(1, seed=5)[0]
    async with FileVectorStore(options) as store:
        assert not store.guarantees.exact_search
        await filled(store, 500)
        await store._data.at_rest()
        assert not store._data.state.approximate.is_behind()
        expected = await store.search(query, 5)
    async with FileVectorStore(options) as store:
        await store._data.at_rest()
        assert not store._data.state.approximate.is_behind()
        assert store._data.state.approximate.unsaved == 0
        assert await store.search(query, 5) == expected
        await store.clear()
        assert await store.search(query, 5) == []
        await filled(store, 100)
        assert len(await store.search(query, 5)) == 5


async def test_the_log_says_when_searches_are_approximate(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", following.__name__)
    async with InMemoryVectorStore({"index": "hnsw", "metric": "dot"}) as store:
        await filled(store, 300)
        await store._data.at_rest()
        assert "The index of 'default' is being made; until it is ready, searches are exact" in caplog.text
        assert "The index of 'default' is ready after" in caplog.text
        caplog.clear()
        await filled(store, 50)
        await store._data.at_rest()
        await store.add_many([(f"huge {number}", [1e7] * DIMENSION, None) for number in range(10)])
        await store._data.at_rest()
        assert not caplog.records


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
async def test_a_store_that_grew_by_much_longer_vectors_has_a_graph_of_them_all(
    metric: Metric, options: dict[str, Any]
) -> None:
    async with FileVectorStore({**options, "metric": metric}) as store:
        await filled(store, 200)
        await store._data.at_rest()
    async with FileVectorStore({**options, "metric": metric}) as store:
        longer = clustered(800, seed=1) * np.float32(1e6)
        await store.add_many([(f"longer {number}", vector, None) for number, vector in enumerate(longer)])
        await store._data.at_rest()
        assert store._data.state.approximate.can_find(1000, 10)
        assert store._data.state.approximate.unsaved == 1000


async def test_the_log_says_which_store_makes_its_index_anew(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FileVectorStore(options) as store:
        await filled(store, 300)
        await store._data.at_rest()
    monkeypatch.setattr(neighbours, "checksum", lambda _: -1)
    async with FileVectorStore(options) as store:
        await store._data.at_rest()
    assert "The stored index of 'default' is of no use: its checksum does not match" in caplog.text


async def test_the_log_says_why_an_index_is_made_anew(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", following.__name__)
    async with FileVectorStore(options) as store:
        await filled(store, 300)
    async with FileVectorStore({**options, "m": 8}) as store:
        await store._data.at_rest()
        assert "made anew, since m or ef_construction is another; until" in caplog.text
        await filled(store, 300)
        await store._data.at_rest()
        assert "made anew, since a third of its vectors were replaced or deleted; until" in caplog.text


async def test_closing_in_the_middle_keeps_what_was_done(options: dict[str, Any]) -> None:
    async with FileVectorStore(options) as store:
        await filled(store, 2000)
        while store._data.state.approximate.unsaved < 100:
            assert len(await store.search(clustered(1)[0], 5)) == 5
    async with FileVectorStore(options) as store:
        await store._data.at_rest()
        assert 0 < store._data.state.approximate.unsaved < 2000
        assert not store._data.state.approximate.is_behind()
    async with FileVectorStore(options) as store:
        await store._data.at_rest()
        assert store._data.state.approximate.unsaved == 0


async def test_a_reader_takes_the_graph_that_is_stored_and_adds_what_came_later(options: dict[str, Any]) -> None:
    async with FileVectorStore(options) as store:
        await filled(store, 300)
        await store._data.at_rest()
    async with FileVectorStore(options) as store:
        await store.delete_many(["7", "299"])
        await store.add_many([(f"later {number}", vector, None) for number, vector in enumerate(clustered(20, seed=2))])
        await store._data.at_rest()
        files = {each.name: each.read_bytes() for each in options["path"].iterdir()}
        async with FileVectorStore({**options, "read_only": True}) as reader:
            await reader._data.at_rest()
            assert reader._data.state.approximate.unsaved == 20
            for query in clustered(20, seed=5):
                assert await reader.search(query, 5) == await store.search(query, 5)
        assert files == {each.name: each.read_bytes() for each in options["path"].iterdir()}


def test_a_store_in_memory_goes_on_in_another_event_loop() -> None:
    store = InMemoryVectorStore({"index": "hnsw"})

    async def begin() -> None:
        await store.connect()
        await filled(store, 2000)

    async def go_on() -> None:
        await store.connect()
        await store._data.at_rest()
        assert not store._data.state.approximate.is_behind()
        await store.disconnect()

    asyncio.run(begin())
    asyncio.run(go_on())


async def test_a_forked_child_does_not_wait_for_a_thread_that_only_its_parent_has() -> None:
    store = InMemoryVectorStore({"index": "hnsw"})
    await store.connect()
    await filled(store, 300)
    await store._data.at_rest()
    state = store._data.state
    put(state, [str(number) for number in range(1000, 1100)], clustered(100))
    assert state.next_part() is not None  # for the parent's thread
    store.abandon()
    await store.connect()
    await store._data.at_rest()
    state = store._data.state
    assert state.approximate.can_find(len(state), 5)


def test_without_usearch_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    InMemoryVectorStore({"m": 8})
    with pytest.raises(ProviderImportError, match=r"pip install 'symphony-registry\[hnsw\]'"):
        InMemoryVectorStore({"index": "hnsw"})


def test_a_usearch_that_cannot_be_loaded_is_told_from_one_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.py").write_text("raise ImportError('undefined symbol: nk_capabilities')")
    package = ModuleType("usearch")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "usearch", package)
    monkeypatch.delitem(sys.modules, "usearch.index", raising=False)
    with pytest.raises(ProviderImportError, match=r"cannot be loaded: undefined symbol.*--force-reinstall"):
        InMemoryVectorStore({"index": "hnsw"})


async def test_a_task_that_was_cancelled_before_it_began_does_not_end_following() -> None:
    async with InMemoryVectorStore({"index": "hnsw"}) as store:
        others = asyncio.all_tasks()
        await store.add("0", [1.0, 2.0])
        (following,) = asyncio.all_tasks() - others
        following.cancel()
        await asyncio.wait([following])
        await store.add("1", [2.0, 1.0])
        await store._data.at_rest()
        assert store._data.state.approximate.is_open
