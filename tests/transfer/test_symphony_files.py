"""Reading what the file backends of the Symphony framework have written."""

from pathlib import Path
from typing import Any

import pytest

from symphony_registry.backends import BackendType
from symphony_registry.errors import StorageError, StorageFormatError
from symphony_registry.testing.expectations import assert_same
from symphony_registry.transfer import StoreContents, SymphonyFiles, compare, copy, plan_copy
from tests.helpers.symphony_files import ITEMS, write
from tests.helpers.transfers import everything, store_of, without_version

VECTORS, GRAPH, CHECKPOINTS = BackendType
ALL = pytest.mark.parametrize("kind", BackendType)


@ALL
async def test_a_store_gets_every_item_as_it_was_written(kind: BackendType, tmp_path: Path) -> None:
    source = SymphonyFiles(write(tmp_path / "old", kind, {f"{kind}.txt": "not an item"}), kind)
    async with store_of(kind, "file", tmp_path) as store:
        target = StoreContents(store)
        plan = await plan_copy(source, target)
        await copy(source, target, plan)
        assert (await compare(source, target)).equal
        assert_same(await everything(store), ITEMS[kind], "the store")


@ALL
async def test_an_interrupted_import_is_continued(kind: BackendType, tmp_path: Path) -> None:
    source = SymphonyFiles(write(tmp_path, kind), kind)
    async with store_of(kind) as store:
        target = StoreContents(store)
        await copy(source, target, await plan_copy(source, target))
        assert (await plan_copy(source, target)).to_copy == 0


async def test_fields_that_the_framework_may_leave_out_are_empty(tmp_path: Path) -> None:
    write(tmp_path, VECTORS, {"vectors/B.json": {"id": "B", "vector": [1, 2, 3]}})
    source = SymphonyFiles(tmp_path, VECTORS)
    async with store_of(VECTORS) as store:
        target = StoreContents(store)
        await copy(source, target, await plan_copy(source, target))
        assert await store.get("B") == {"id": "B", "vector": [1.0, 2.0, 3.0], "metadata": {}}


async def test_a_checkpoint_whose_saving_was_interrupted_is_the_oldest(tmp_path: Path) -> None:
    source = SymphonyFiles(write(tmp_path, CHECKPOINTS, {"checkpoints/half.json": {"state": "?"}}), CHECKPOINTS)
    async with store_of(CHECKPOINTS) as store:
        target = StoreContents(store)
        await copy(source, target, await plan_copy(source, target))
        (oldest, *_) = await store.list_checkpoints()
        assert without_version(oldest) == {
            "checkpoint_id": "half",
            "metadata": {"checkpoint_id": "half", "timestamp": 0.0},
        }


@pytest.mark.parametrize(
    ("kind", "name", "item", "reason"),
    [
        (VECTORS, "vectors/x.json", "{", "x.json: this is not JSON"),
        (VECTORS, "vectors/x.json", "[]", "x.json: this is not a JSON object"),
        (VECTORS, "vectors/x.json", '{"id": "x", "id": "x", "vector": [1, 2, 3]}', "the key 'id' is there twice"),
        (VECTORS, "vectors/x.json", {"id": "x", "vector": [1]}, "dimension 1, those before it 3"),
        (VECTORS, "vectors/x.json", {"id": "x"}, "has the keys id, not id, vector, metadata"),
        (VECTORS, "vectors/x.json", {"id": "y", "vector": [1, 2, 3]}, "it holds 'y', which is not what it is called"),
        (VECTORS, "vectors/x.json", {"id": 1, "vector": [1, 2, 3]}, "x.json: .*int"),
        (GRAPH, "relations/ada--x--R.json", {"from_id": "ada", "to_id": "x", "type": "R"}, "no entity 'x'"),
        (GRAPH, "entities/x.json", '{"id": "x", "type": "T", "properties": {"n": 1e400}}', "x.json: "),
        (CHECKPOINTS, "checkpoints/x.json", "[]", "x.json: this is not a JSON object"),
        (CHECKPOINTS, "metadata/z.json", {"timestamp": 1.0, "checkpoint_id": "?"}, "metadata.checkpoint_id must be"),
        (CHECKPOINTS, "metadata/x.json", {}, "metadata/x.json: the checkpoint has no data"),
    ],
)  # fmt: skip
def test_a_file_that_the_framework_would_pass_over_is_named(
    kind: BackendType, name: str, item: Any, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(StorageFormatError, match=reason) as caught:
        SymphonyFiles(write(tmp_path, kind, {name: item}), kind)
    assert caught.value.path.name == Path(name).name
    assert "correct this one or move it away" in str(caught.value)


@ALL
def test_a_directory_of_another_type_is_refused_with_what_it_is(kind: BackendType, tmp_path: Path) -> None:
    other = VECTORS if kind is not VECTORS else GRAPH
    with pytest.raises(StorageFormatError, match=rf"has no folder '\w+', as the framework's {kind} has.*a {other}"):
        SymphonyFiles(write(tmp_path, other), kind)
    with pytest.raises(StorageFormatError, match="Name the path that the framework's backend was given"):
        SymphonyFiles(tmp_path / "nowhere", kind)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, VECTORS)
    (tmp_path / "vectors" / "x.json").mkdir()
    with pytest.raises(StorageError, match=r"x\.json could not be read: Is a directory"):
        SymphonyFiles(tmp_path, VECTORS)


@ALL
async def test_a_file_backend_on_such_a_directory_says_how_to_import_it(kind: BackendType, tmp_path: Path) -> None:
    directory = write(tmp_path / kind, kind)
    with pytest.raises(StorageFormatError, match=f"symphony-registry import {kind}/NAME --from-symphony {directory}"):
        await store_of(kind, "file", tmp_path).connect()
