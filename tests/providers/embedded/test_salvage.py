"""Salvage: what can be read of a damaged directory comes back, and what is lost is listed."""

from pathlib import Path

import pytest

from symphony_registry import BackendType
from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.errors import StorageCorruptedError, StorageFormatError, StorageLockedError
from symphony_registry.providers.embedded.salvage import salvage


@pytest.fixture
async def saved(tmp_path: Path) -> Path:
    """A directory with five checkpoints."""
    async with FileCheckpointStore({"path": tmp_path / "saved"}) as store:
        for number in range(5):
            await store.save_checkpoint(f"c{number}", {"n": number})
    return tmp_path / "saved"


def damage(directory: Path, line: int, replacement: bytes = b"damaged\n") -> int:
    """Replace a line of the journal; return its offset."""
    path = directory / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    offset = sum(map(len, lines[:line]))
    lines[line] = replacement
    path.write_bytes(b"".join(lines))
    return offset


async def checkpoints(directory: Path) -> list[str]:
    async with FileCheckpointStore({"path": directory}) as store:
        return [info["checkpoint_id"] for info in await store.list_checkpoints()]


async def test_everything_but_the_damaged_line_comes_back_and_the_line_is_named(saved: Path, tmp_path: Path) -> None:
    offset = damage(saved, 3)
    before = (saved / "journal.jsonl").read_bytes()
    with pytest.raises(StorageCorruptedError, match="salvage"):
        await FileCheckpointStore({"path": saved}).connect()
    kept, lost = salvage(saved, tmp_path / "new")
    assert kept == 4
    assert [(loss.offset, loss.reason) for loss in lost] == [
        (offset, "its checksum does not match"),
        (offset + len(b"damaged\n"), "this is line 5 instead of 4"),
    ]
    assert await checkpoints(tmp_path / "new") == ["c0", "c1", "c3", "c4"]
    assert (saved / "journal.jsonl").read_bytes() == before


async def test_of_a_file_that_was_cut_the_beginning_comes_back(saved: Path, tmp_path: Path) -> None:
    path = saved / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-100])
    kept, lost = salvage(saved, tmp_path / "new")
    assert kept == 4
    assert lost[-1].reason == "what followed is missing"
    assert await checkpoints(tmp_path / "new") == ["c0", "c1", "c2", "c3"]


async def test_a_write_that_was_not_finished_is_no_loss(saved: Path, tmp_path: Path) -> None:
    path = saved / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)[:-1]
    path.write_bytes(b"".join(lines)[:-20].ljust(2048, b"\t"))
    assert salvage(saved, tmp_path / "new") == (4, [])


async def test_a_change_that_no_longer_fits_is_listed(tmp_path: Path) -> None:
    async with FileKnowledgeGraph({"path": tmp_path / "graph"}) as graph:
        await graph.add_entity("a", "T")
        await graph.add_entity("b", "T")
        await graph.add_relation("a", "b", "KNOWS")
        await graph.delete_relation("a", "b", "KNOWS")
    damage(tmp_path / "graph", 3)
    kept, lost = salvage(tmp_path / "graph", tmp_path / "new")
    assert kept == 2
    assert "the change 'delete_relation'" in lost[-1].reason
    assert "does not fit what is left" in lost[-1].reason


async def test_relations_of_a_lost_entity_do_not_come_back(tmp_path: Path) -> None:
    async with FileKnowledgeGraph({"path": tmp_path / "graph"}) as graph:
        await graph.add_entity("a", "T")
        await graph.add_entity("b", "T")
        await graph.add_relation("a", "b", "KNOWS")
    damage(tmp_path / "graph", 2)
    assert salvage(tmp_path / "graph", tmp_path / "new").kept == 1
    async with FileKnowledgeGraph({"path": tmp_path / "new"}) as graph:
        assert [entity["id"] async for entity in graph.scan_entities()] == ["a"]
        assert await graph.count_relations() == 0


async def test_without_the_first_line_the_backend_type_has_to_be_said(tmp_path: Path) -> None:
    async with FileVectorStore({"path": tmp_path / "vectors"}) as store:
        await store.add("a", [0.5, 1.0], {"k": 1})
    damage(tmp_path / "vectors", 0)
    with pytest.raises(StorageFormatError, match="Say what it held"):
        salvage(tmp_path / "vectors", tmp_path / "new")
    kept, lost = salvage(tmp_path / "vectors", tmp_path / "new", BackendType.VECTOR_STORE)
    assert (kept, lost[0].offset) == (1, 0)
    async with FileVectorStore({"path": tmp_path / "new"}) as store:
        assert await store.get("a") == {"id": "a", "vector": [0.5, 1.0], "metadata": {"k": 1}}


async def test_an_undamaged_directory_comes_back_as_it_is(saved: Path, tmp_path: Path) -> None:
    assert salvage(saved, tmp_path / "new") == (5, [])
    assert await checkpoints(tmp_path / "new") == await checkpoints(saved)


async def test_a_directory_in_use_and_a_target_that_is_not_empty_are_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageFormatError, match="not an empty directory"):
        salvage(saved, saved)
    async with FileCheckpointStore({"path": saved}):
        with pytest.raises(StorageLockedError):
            salvage(saved, tmp_path / "new")


async def test_versions_never_go_down(saved: Path, tmp_path: Path) -> None:
    async with FileCheckpointStore({"path": saved}) as store:
        before = {info["checkpoint_id"]: info["version"] for info in await store.list_checkpoints()}
    damage(saved, 2)
    salvage(saved, tmp_path / "new")
    async with FileCheckpointStore({"path": tmp_path / "new"}) as store:
        after = {info["checkpoint_id"]: info["version"] for info in await store.list_checkpoints()}
        assert all(after[id] >= before[id] for id in after)
        assert await store.save_checkpoint("next", {}) > max(before.values())
