"""Errors of operations: they name the backend, and say how to go on."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from symphony_registry import BackendType, ServiceRegistry
from symphony_registry.backends.vector_store import InMemoryVectorStore, VectorStoreBackend
from symphony_registry.errors import (
    DimensionError,
    InvalidTypeError,
    InvalidValueError,
    StorageError,
)

NAME = 'The vector_store "songs" (InMemoryVectorStore): '


@pytest.fixture
async def store() -> InMemoryVectorStore:
    registry = ServiceRegistry()
    opened = await registry.register_backend(BackendType.VECTOR_STORE, "memory", "songs")
    assert isinstance(opened, InMemoryVectorStore)
    return opened


async def test_once_also_where_an_operation_stands_on_others(store: InMemoryVectorStore) -> None:
    with pytest.raises(InvalidValueError) as caught:
        await store.search([1.0], limit=0)
    assert str(caught.value) == f"{NAME}limit must be at least 1, not 0."


async def test_also_what_is_wrong_in_a_filter_an_item_and_a_scan(store: InMemoryVectorStore) -> None:
    wrong: Any = None
    with pytest.raises(InvalidValueError, match="there is no operator") as unknown:
        await store.count({"a": {"$gte2": 1}})
    with pytest.raises(InvalidTypeError, match=r"items\[1\]") as item:
        await store.add_many([("a", [1.0], None), (wrong, [1.0], None)])
    with pytest.raises(InvalidValueError, match="batch_size") as size:
        await anext(store.scan(0))
    for caught in (unknown, item, size):
        assert str(caught.value).startswith(NAME)


async def test_also_those_of_an_operation_that_a_provider_overrides() -> None:
    class Picky(InMemoryVectorStore):
        async def get(self, id: str) -> None:
            raise InvalidValueError(f"{id} is not to my taste.")

    async with Picky() as store:
        with pytest.raises(InvalidValueError, match=r'^The vector_store "default" \(Picky\): a is not to my taste\.$'):
            await store.get("a")


async def test_an_error_about_the_dimension_says_how_to_go_on(store: InMemoryVectorStore) -> None:
    await store.add("a", [1.0, 2.0])
    await store.delete("a")
    with pytest.raises(DimensionError) as caught:
        await store.add("b", [1.0])
    assert str(caught.value) == (
        f"{NAME}The vector has dimension 1, but the store takes only dimension 2. Its option dimension, or else the "
        "first vector stored, fixes that until the store is cleared. Use the embedding model that its vectors come "
        "from, or another store."
    )
    await store.clear()
    await store.add("b", [1.0])


async def test_also_an_error_about_files(tmp_path: Path) -> None:
    registry = ServiceRegistry()
    opened = await registry.register_backend(
        BackendType.VECTOR_STORE, "file", "songs", {"path": str(tmp_path / "store")}
    )
    assert isinstance(opened, VectorStoreBackend)
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(StorageError, match=r'^The vector_store "songs" \(FileVectorStore\): .*journal'):
        await opened.add("a", [1.0])
    await registry.close()
