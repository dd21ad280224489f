"""Search by meaning, beside langgraph's own store with the same embedding."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest
from langgraph.store.base import BaseStore, IndexConfig, PutOp
from langgraph.store.memory import InMemoryStore

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.blocking import BlockingRegistry
from symphony_registry.errors import InvalidValueError
from symphony_registry.integrations.langgraph import RegistryStore, items


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Return vectors that texts with the same words have in common."""
    return [[sum(_number(word, place) for word in text.split()) for place in range(16)] for text in texts]


def _number(word: str, place: int) -> float:
    return hashlib.sha256(word.encode()).digest()[place] / 255 - 0.5


async def aembed(texts: Sequence[str]) -> list[list[float]]:
    return embed(texts)


INDEX: IndexConfig = {"dims": 16, "embed": aembed, "fields": ["text"]}


@pytest.fixture
def store(checkpoint_store: CheckpointStoreBackend, vector_store: VectorStoreBackend) -> RegistryStore:
    return RegistryStore(checkpoint_store, vector_store, index=INDEX)


async def keys(store: BaseStore, *namespace: str, **options: Any) -> list[str]:
    return [item.key for item in await store.asearch(namespace, **options)]


TEXTS = ["red apple", "green apple", "red car", "blue sea", "sea of green", "old car", "apple", "car"]
NAMESPACES = [("a",), ("a", "b"), ("b",), ("ab",)]


async def fill(store: BaseStore) -> None:
    await store.abatch(
        [
            PutOp(namespace, f"{n}", {"text": f"{text} {' '.join(namespace)}", "n": n, "of": {"n": n % 2}})
            for namespace in NAMESPACES
            for n, text in enumerate(TEXTS)
        ]
    )
    await store.abatch(
        [
            PutOp(("a",), "not indexed", {"text": "apple", "n": 100}, index=False),
            PutOp(("a",), "without text", {"n": 101}),
            PutOp(
                ("a",),
                "several",
                {"title": "red", "parts": [{"text": "sea"}, {"text": "car"}], "n": 0},
                ["title", "parts[*].text"],
            ),
        ]
    )


@pytest.mark.parametrize(
    ("namespace", "options"),
    [
        ((), {"query": "apple", "limit": 5}),
        ((), {"query": "green sea", "limit": 3, "offset": 2}),
        (("a",), {"query": "red", "limit": 100}),
        (("a",), {"query": "red car", "limit": 4, "filter": {"n": {"$gte": 3}}}),
        (("a", "b"), {"query": "old sea", "limit": 100}),
        (("b",), {"query": "sea", "limit": 2, "filter": {"of": {"n": 1}}}),
        (("a",), {"query": "sea", "filter": {"text": "nothing has this"}}),
        (("nowhere",), {"query": "sea"}),
        (("b",), {"query": "", "limit": 100}),
        (("b",), {"query": "sea", "limit": 0}),
    ],
)
async def test_a_search_finds_what_langgraphs_own_does(
    store: RegistryStore, namespace: tuple[str, ...], options: Any
) -> None:
    own = InMemoryStore(index=INDEX)
    for each in (store, own):
        await fill(each)
    found, expected = await store.asearch(namespace, **options), await own.asearch(namespace, **options)
    assert [(item.namespace, item.value) for item in found if item.score is not None] == [
        (item.namespace, item.value) for item in expected if item.score is not None
    ]
    assert {item.key for item in found if item.score is None} == {item.key for item in expected if item.score is None}
    assert [item.score for item in found] == pytest.approx([item.score for item in expected], abs=1e-5)


async def test_items_without_a_vector_come_after_all_others_once(store: RegistryStore) -> None:
    await fill(store)
    pages = [await keys(store, "a", query="apple", limit=5, offset=offset) for offset in range(0, 25, 5)]
    found = [key for page in pages for key in page]
    assert len(found) == 19
    assert found[-2:] == ["not indexed", "without text"]


async def test_an_item_that_is_put_again_is_found_by_what_it_says_now(store: RegistryStore) -> None:
    await store.aput(("a",), "k", {"text": "red apple"})
    await store.aput(("a",), "other", {"text": "green apple"})
    await store.aput(("a",), "k", {"text": "blue sea"})
    (best, *_) = await store.asearch(("a",), query="blue sea")
    assert (best.key, best.value) == ("k", {"text": "blue sea"})
    assert best.score == pytest.approx(1, abs=1e-5)
    assert await keys(store, "a", query="red apple", limit=1) == ["other"]


async def test_vectors_go_with_their_item(store: RegistryStore, vector_store: VectorStoreBackend) -> None:
    await fill(store)
    await store.aput(("a",), "whole", {"n": 102}, ["$"])
    for namespace in NAMESPACES:
        for n in range(len(TEXTS)):
            await store.aput(namespace, f"{n}", {"text": "sea"})
            await store.adelete(namespace, f"{n}")
    assert await vector_store.count() == 4  # of "several" and "whole"
    await store.aput(("a",), "several", {"title": "red"}, index=False)
    assert await vector_store.count() == 1


async def test_equally_similar_items_come_by_namespace_and_key(store: RegistryStore) -> None:
    await store.abatch([PutOp((label,), key, {"text": "sea"}) for label in "ba" for key in "31"])
    found = await store.asearch((), query="sea")
    assert [(item.namespace[0], item.key) for item in found] == [("a", "1"), ("a", "3"), ("b", "1"), ("b", "3")]
    assert await keys(store, query="sea", limit=1) == ["1"]


async def test_each_text_is_embedded_once_for_a_whole_batch(
    checkpoint_store: CheckpointStoreBackend, vector_store: VectorStoreBackend
) -> None:
    embedded: list[Sequence[str]] = []

    async def recorded(texts: Sequence[str]) -> list[list[float]]:
        embedded.append(texts)
        return embed(texts)

    store = RegistryStore(checkpoint_store, vector_store, index={**INDEX, "embed": recorded})
    await asyncio.gather(*(store.aput(("a",), f"{n}", {"text": TEXTS[n % 2]}) for n in range(50)))
    assert embedded == [TEXTS[:2]]


async def test_the_rest_of_a_page_is_found_behind_many_texts_of_one_item(store: RegistryStore) -> None:
    await store.aput(("a",), "one", {"parts": ["sea"] * 40}, index=["parts[*]"])
    await store.abatch([PutOp(("a",), f"{n}", {"text": "sea of green"}) for n in range(3)])
    assert await keys(store, "a", query="sea", limit=3) == ["one", "0", "1"]


class CrashError(Exception):
    """Stands for the end of the process."""


@contextmanager
def _crashing(monkeypatch: pytest.MonkeyPatch, backend: StorageBackend, operation: str) -> Iterator[None]:
    async def crash(*_: Any, **__: Any) -> None:
        raise CrashError

    with monkeypatch.context() as patched:
        patched.setattr(backend, operation, crash)
        with pytest.raises(CrashError):
            yield


async def test_an_item_whose_write_ended_before_it_was_saved_is_as_it_was(
    store: RegistryStore,
    checkpoint_store: CheckpointStoreBackend,
    vector_store: VectorStoreBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await store.aput(("a",), "k", {"text": "red apple"})
    with _crashing(monkeypatch, checkpoint_store, "save_checkpoints"):
        await store.aput(("a",), "k", {"text": "blue sea"})
    assert [item.value for item in await store.asearch(("a",), query="blue sea")] == [{"text": "red apple"}]
    assert await keys(store, "a", query="red apple") == ["k"]

    # The vector that nobody has is left alone, since its item may be about to be saved; an hour later it is removed.
    assert await vector_store.count() == 2
    later = items.now() + 3601
    monkeypatch.setattr("symphony_registry.integrations.langgraph.index.now", lambda: later)
    assert await keys(store, "a", query="sea") == ["k"]
    assert await vector_store.count() == 1


async def test_an_item_whose_write_ended_before_its_old_vectors_were_removed_is_found_by_the_new(
    store: RegistryStore, vector_store: VectorStoreBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.aput(("a",), "k", {"text": "red apple"})
    await store.aput(("a",), "other", {"text": "apple"})
    with _crashing(monkeypatch, vector_store, "delete_many"):
        await store.aput(("a",), "k", {"text": "blue sea"})
    assert await keys(store, "a", query="red apple", limit=1) == ["other"]
    (best, _) = await store.asearch(("a",), query="blue sea")
    assert best.key == "k"
    assert best.score == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("times", [1, 3])
async def test_an_item_that_another_replaces_meanwhile_is_found(
    store: RegistryStore,
    checkpoint_store: CheckpointStoreBackend,
    vector_store: VectorStoreBackend,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
) -> None:
    another = RegistryStore(checkpoint_store, vector_store, index=INDEX)
    await store.aput(("a",), "k", {"text": "sea"})
    search, left = vector_store.search, times

    async def search_and_replace(*args: Any, **options: Any) -> Any:
        nonlocal left
        found = await search(*args, **options)
        if left:
            left -= 1
            await another.aput(("a",), "k", {"text": "sea"})
        return found

    monkeypatch.setattr(vector_store, "search", search_and_replace)
    assert await keys(store, "a", query="sea") == ["k"]


async def test_concurrent_writers_of_one_item_leave_one_of_them_with_its_own_vector(
    checkpoint_store: CheckpointStoreBackend, vector_store: VectorStoreBackend
) -> None:
    stores = [RegistryStore(checkpoint_store, vector_store, index=INDEX) for _ in range(4)]
    await asyncio.gather(*(store.aput(("a",), "k", {"text": text}) for store, text in zip(stores, TEXTS, strict=False)))
    item = await stores[0].aget(("a",), "k")
    assert item
    (found,) = await stores[1].asearch(("a",), query=item.value["text"])
    assert found.score == pytest.approx(1, abs=1e-5)


async def test_expired_items_are_not_found_and_a_sweep_removes_their_vectors(
    store: RegistryStore, vector_store: VectorStoreBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.aput(("a",), "short", {"text": "red apple"}, ttl=1)
    await store.aput(("a",), "long", {"text": "green apple"}, ttl=3)
    later = items.now() + 120
    monkeypatch.setattr("symphony_registry.integrations.langgraph.items.now", lambda: later)
    monkeypatch.setattr("symphony_registry.integrations.langgraph.expiry.now", lambda: later)
    assert await keys(store, "a", query="red apple") == ["long"]
    assert await vector_store.count() == 2
    assert await store.asweep_ttl() == 1
    assert await vector_store.count() == 1


@pytest.mark.parametrize("embedding", [embed, aembed])
def test_threads_search_with_either_kind_of_embedding(blocking_registry: BlockingRegistry, embedding: Any) -> None:
    checkpoints, vectors = blocking_registry.checkpoint_store(), blocking_registry.vector_store()
    store = RegistryStore(checkpoints, vectors, index={"dims": 16, "embed": embedding})
    store.put(("a",), "k", {"text": "sea"})
    (found,) = store.search(("a",), query='{"text": "sea"}')
    assert found.score == pytest.approx(1, abs=1e-5)


async def test_an_embedding_of_other_dimensions_is_refused(
    checkpoint_store: CheckpointStoreBackend, vector_store: VectorStoreBackend
) -> None:
    store = RegistryStore(checkpoint_store, vector_store, index={**INDEX, "dims": 1536})
    message = r'index\["dims"\] is 1536, but index\["embed"\] gives vectors of 16'
    with pytest.raises(InvalidValueError, match=message):
        await store.aput(("a",), "k", {"text": "sea"})
    with pytest.raises(InvalidValueError, match=message):
        await store.asearch(("a",), query="sea")
    assert await store.aget(("a",), "k") is None


async def test_a_query_is_ignored_without_an_index_as_langgraphs_own_does(
    checkpoint_store: CheckpointStoreBackend,
) -> None:
    for store in (RegistryStore(checkpoint_store), InMemoryStore()):
        await store.aput(("a",), "k", {"text": "sea"})
        assert [item.score for item in await store.asearch(("a",), query="sun")] == [None]


def test_a_misspelt_key_of_the_index_is_refused(blocking_registry: BlockingRegistry) -> None:
    checkpoints, vectors = blocking_registry.checkpoint_store(), blocking_registry.vector_store()
    with pytest.raises(InvalidValueError, match=r"index has no 'feilds'\. Did you mean \"fields\""):
        RegistryStore(checkpoints, vectors, index=cast("IndexConfig", {**INDEX, "feilds": ["text"]}))


def test_vectors_without_an_embedding_are_refused(blocking_registry: BlockingRegistry) -> None:
    checkpoints, vectors = blocking_registry.checkpoint_store(), blocking_registry.vector_store()
    with pytest.raises(InvalidValueError, match="both `vectors`"):
        RegistryStore(checkpoints, vectors)
    with pytest.raises(InvalidValueError, match="both `vectors`"):
        RegistryStore(checkpoints, index=INDEX)
    with pytest.raises(InvalidValueError, match='no "embed"'):
        RegistryStore(checkpoints, vectors, index={"dims": 16})
