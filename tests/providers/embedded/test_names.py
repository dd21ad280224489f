"""Names that change while a file store is open: what is acknowledged is where the next opening finds it."""

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.backends.lifecycle import check_health
from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.errors import StorageError, StorageFormatError, StorageLockedError
from symphony_registry.providers.embedded.journal.directory import Directory

MANY = 3_000  # saves of one checkpoint, after which the journal was compacted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


async def ids(path: Path) -> list[str]:
    async with FileCheckpointStore({"path": path}) as store:
        return [info["checkpoint_id"] for info in await store.list_checkpoints()]


async def make(path: Path, *names: str) -> None:
    async with FileCheckpointStore({"path": path}) as store:
        for name in names:
            await store.save_checkpoint(name, {})


async def save_often(store: FileCheckpointStore) -> None:
    await asyncio.gather(*(store.save_checkpoint("often", {"n": n}) for n in range(MANY)))


class TestWorkingDirectory:
    async def test_a_relative_path_leads_to_the_same_store_after_it_has_changed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path)
        await make(tmp_path / "elsewhere" / "data", "theirs")
        async with FileCheckpointStore({"path": "data"}) as store:
            monkeypatch.chdir("elsewhere")
            await save_often(store)
            await store.disconnect()
            assert not store.is_open
            await store.connect()
            assert await store.count() == 1
        assert await ids(tmp_path / "data") == ["often"]
        assert await ids(tmp_path / "elsewhere" / "data") == ["theirs"]


def removed(path: Path) -> None:
    shutil.rmtree(path)


def renamed(path: Path) -> None:
    path.rename(path.with_name("moved"))


def unlinked(path: Path) -> None:
    (path / "journal.jsonl").unlink()


def emptied(path: Path) -> None:
    for each in path.iterdir():
        each.unlink()


def replaced(path: Path) -> None:
    """Move a backup over the journal."""
    backup = path.with_name("backup")
    shutil.copy(path / "journal.jsonl", backup)
    backup.rename(path / "journal.jsonl")


def overwritten(path: Path) -> None:
    """Copy a backup into the journal's file."""
    backup = path.with_name("backup")
    asyncio.run(make(backup, "backup"))
    shutil.copyfile(backup / "journal.jsonl", path / "journal.jsonl")


def linked_elsewhere(path: Path) -> None:
    path.rename(path.with_name("moved"))
    asyncio.run(make(path.with_name("other"), "theirs"))
    path.symlink_to(path.with_name("other"))


def taken_back(path: Path) -> None:
    """Copy an older state of the store into the journal's file, of the same size."""
    shutil.copyfile(path.with_name("older.jsonl"), path / "journal.jsonl")


def led_to_a_copy(path: Path) -> None:
    """Move the directory, leave the open journal where it was, and let the path lead to a copy of it."""
    real, moved = path.with_name("real"), path.with_name("moved")
    real.rename(moved)
    real.mkdir()
    (moved / "journal.jsonl").rename(real / "journal.jsonl")
    shutil.copy(real / "journal.jsonl", moved / "journal.jsonl")
    path.unlink()
    path.symlink_to(moved)


CHANGES = [removed, renamed, unlinked, emptied, replaced, overwritten, taken_back, linked_elsewhere, led_to_a_copy]


@pytest.mark.parametrize("change", CHANGES)
async def test_what_the_next_opening_would_not_find_is_not_acknowledged(
    path: Path, change: Callable[[Path], None]
) -> None:
    if change is led_to_a_copy:
        path.with_name("real").mkdir()
        path.symlink_to("real")
    async with FileCheckpointStore({"path": path}) as store:
        shutil.copy(path / "journal.jsonl", path.with_name("older.jsonl"))
        await store.save_checkpoint("before", {})
        await asyncio.to_thread(change, path)
        assert not await store.health_check()
        for _ in range(2):
            with pytest.raises(StorageError, match="is not the file any more that this store opened"):
                await store.save_checkpoint("after", {})
        assert await store.list_checkpoints() == await store.list_checkpoints()
        assert await store.get_checkpoint("after") is None
    if path.exists() and (path / "journal.jsonl").exists():
        assert "after" not in await ids(path)
        assert change is not overwritten or await ids(path) == ["backup"]
    if path.with_name("other").exists():
        assert await ids(path.with_name("other")) == ["theirs"]


async def test_a_longer_journal_of_the_same_beginning_that_is_copied_over_an_empty_one_is_not_written_to(
    path: Path,
) -> None:
    async with (
        FileCheckpointStore({"path": path.with_name("longer")}) as longer,
        FileCheckpointStore({"path": path}) as store,
    ):
        await longer.save_checkpoint("theirs", {})
        content = (path.with_name("longer") / "journal.jsonl").read_bytes()
        with (path / "journal.jsonl").open("r+b") as file:
            file.write(content)
            file.truncate()
        with pytest.raises(StorageError, match="is not the file any more"):
            await store.save_checkpoint("after", {})
        assert (path / "journal.jsonl").read_bytes() == content


@pytest.mark.parametrize("change", [renamed, linked_elsewhere])
async def test_a_store_that_is_put_back_goes_on(path: Path, change: Callable[[Path], None]) -> None:
    async with FileCheckpointStore({"path": path}) as store:
        await store.save_checkpoint("before", {})
        await asyncio.to_thread(change, path)
        with pytest.raises(StorageError):
            await store.save_checkpoint("between", {})
        if path.is_symlink():
            path.unlink()
        path.with_name("moved").rename(path)
        await store.save_checkpoint("after", {})
    assert await ids(path) == ["before", "after"]


async def test_a_compaction_replaces_nothing_that_came_to_its_path(path: Path) -> None:
    store = FileCheckpointStore({"path": path})
    await store.connect()
    await save_often(store)
    await asyncio.to_thread(linked_elsewhere, path)
    content = (path / "journal.jsonl").read_bytes()
    with pytest.raises(StorageError, match="is not the file any more"):
        await asyncio.to_thread(store._data._log.journal.rewrite, ())  # type: ignore[union-attr]
    await store.disconnect()
    assert (path / "journal.jsonl").read_bytes() == content
    assert await ids(path.with_name("moved")) == ["often"]


async def test_closing_writes_no_snapshot_into_a_store_that_came_to_its_path(path: Path) -> None:
    async with FileVectorStore({"path": path}) as store:
        await store.add_many([(f"{n}", [1.0 + n] * 100, None) for n in range(3_000)])
        path.rename(path.with_name("moved"))
        async with FileVectorStore({"path": path}) as other:
            await other.add("theirs", [1.0])
    assert sorted(each.name for each in path.iterdir()) == ["LOCK", "journal.jsonl"]
    async with FileVectorStore({"path": path.with_name("moved")}) as moved:
        assert await moved.count() == 3_000


async def test_a_journal_is_locked_whatever_became_of_the_file_that_says_so(path: Path) -> None:
    async with FileCheckpointStore({"path": path}) as store:
        await store.save_checkpoint("a", {})
        (path / "LOCK").unlink()
        with pytest.raises(StorageLockedError):
            await FileCheckpointStore({"path": path}).connect()
        await save_often(store)
        with pytest.raises(StorageLockedError):
            await FileCheckpointStore({"path": path}).connect()
    assert await ids(path) == ["a", "often"]


async def test_a_journal_that_two_directories_link_to_is_open_once(path: Path, tmp_path: Path) -> None:
    await make(path, "a")
    second = tmp_path / "second"
    second.mkdir()
    os.link(path / "journal.jsonl", second / "journal.jsonl")
    async with FileCheckpointStore({"path": path}):
        with pytest.raises(StorageLockedError):
            await FileCheckpointStore({"path": second}).connect()


@pytest.mark.parametrize("link", [os.symlink, os.link])
async def test_a_lock_file_that_is_a_link_harms_no_other_file(
    path: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    path.mkdir()
    link(precious, path / "LOCK")
    with suppress(StorageError):
        await make(path, "a")
    assert precious.read_text() == "precious"


async def test_a_journal_that_appears_while_the_first_is_made_is_not_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(path.with_name("other"), "theirs")
    rename_new = Directory.rename_new

    def after_another(directory: Directory, name: str, to: str) -> None:
        shutil.copy(path.with_name("other") / "journal.jsonl", path / to)
        rename_new(directory, name, to)

    monkeypatch.setattr(Directory, "rename_new", after_another)
    with pytest.raises(StorageError, match=r"journal\.jsonl could not be rewritten: another came to be meanwhile"):
        await FileCheckpointStore({"path": path}).connect()
    assert await ids(path) == ["theirs"]


async def test_a_file_beside_the_target_of_a_link_is_not_ours(path: Path, tmp_path: Path) -> None:
    path.mkdir()
    (path / "journal.jsonl").symlink_to(tmp_path / "data")
    (tmp_path / "data.new").write_text("theirs")
    async with FileCheckpointStore({"path": path}) as store:
        await save_often(store)
    assert (tmp_path / "data.new").read_text() == "theirs"


async def test_a_directory_with_somebodys_snapshot_and_no_journal_is_not_a_store(path: Path) -> None:
    path.mkdir()
    (path / "snapshot").write_text("theirs")
    with pytest.raises(StorageFormatError, match="holds other files"):
        await make(path, "a")
    assert (path / "snapshot").read_text() == "theirs"


async def test_an_error_names_the_file_that_is_in_the_way(path: Path) -> None:
    (path / "journal.jsonl.new").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"journal\.jsonl\.new could not be opened: Is a directory"):
        await make(path, "a")


async def test_a_snapshot_that_is_overwritten_while_it_is_mapped_never_reaches_the_journal(path: Path) -> None:
    async with FileVectorStore({"path": path, "metric": "dot"}) as store:
        await store.add_many([(f"{n}", [1.0 + n] * 100, None) for n in range(3_000)])
    snapshot = path / "snapshot"
    async with FileVectorStore({"path": path, "metric": "dot"}) as store:
        with snapshot.open("r+b") as file:
            file.seek(8_192)
            file.write(bytes(snapshot.stat().st_size - 8_192))
        os.utime(snapshot, ns=(0, 0))
        health = await check_health(store, None)
        assert "was changed while this store used it" in health["detail"]
        await store.delete_many([f"{n}" for n in range(2_000)])
        await store.add("last", [1.0] * 100)
    async with FileVectorStore({"path": path, "metric": "dot"}) as store:
        assert await store.count() == 1_001
        first = [item["vector"] async for item in store.scan(batch_size=1)][:1]
        assert first == [[2_001.0] * 100]


@contextmanager
def member(user: int, *, group: int, of: int) -> Iterator[None]:
    """Be another user, who is a member of a second group."""
    groups = os.getgroups()
    os.setgroups([of])
    os.setegid(group)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


class TestOwner:
    async def test_a_compaction_keeps_mode_and_group(self, path: Path) -> None:
        await make(path, "a")
        journal = path / "journal.jsonl"
        journal.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(journal, 12_345, 54_321)
        before = journal.stat()
        async with FileCheckpointStore({"path": path}) as store:
            await save_often(store)
        after = journal.stat()
        assert after.st_size < 50 * MANY  # was compacted
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
    def test_a_compaction_by_another_member_keeps_the_group(self, path: Path) -> None:
        path.mkdir()
        (path / "old").touch()
        os.chown(path / "old", 3_001, 5_000)
        like = (path / "old").stat()
        path.chmod(0o777)
        with Directory(path) as directory, member(3_002, group=4_002, of=5_000):
            directory.create("new", like).close()
        made = (path / "new").stat()
        assert (made.st_uid, made.st_gid) == (3_002, 5_000)

    async def test_a_snapshot_is_for_those_who_may_read_the_journal(self, path: Path) -> None:
        async with FileVectorStore({"path": path}) as store:
            await store.add("a", [1.0] * 100)
            (path / "journal.jsonl").chmod(0o600)
            await store.add_many([(f"{n}", [1.0 + n] * 100, None) for n in range(3_000)])
        assert stat.S_IMODE((path / "snapshot").stat().st_mode) == 0o600

    @pytest.mark.parametrize("exists", [True, False])
    async def test_a_journal_that_is_a_symbolic_link_stays_one(self, path: Path, tmp_path: Path, exists: bool) -> None:
        path.mkdir()
        target = tmp_path / "volume" / "data.jsonl"
        target.parent.mkdir()
        (path / "journal.jsonl").symlink_to("../volume/data.jsonl")
        if exists:
            await make(tmp_path / "made", "a")
            shutil.copy(tmp_path / "made" / "journal.jsonl", target)
        async with FileCheckpointStore({"path": path}) as store:
            await save_often(store)
        assert (path / "journal.jsonl").is_symlink()
        assert [each.name for each in target.parent.iterdir()] == ["data.jsonl"]
        assert "often" in await ids(path)
        assert target.stat().st_size < 1_000 * MANY // 20


@pytest.mark.parametrize("name", ["journal.jsonl", "LOCK", "snapshot"])
async def test_a_pipe_in_the_place_of_a_file_does_not_hang_the_opening(path: Path, name: str) -> None:
    await make(path, "a")
    (path / name).unlink(missing_ok=True)
    os.mkfifo(path / name)
    if name == "snapshot":
        async with FileCheckpointStore({"path": path}) as store:
            assert await store.count() == 1
    else:
        with pytest.raises(StorageError, match="Not a regular file"):
            await FileCheckpointStore({"path": path}).connect()


async def test_a_pipe_in_the_place_of_a_vector_stores_snapshot_is_left_alone(path: Path) -> None:
    async with FileVectorStore({"path": path}) as store:
        await store.add("a", [1.0])
    os.mkfifo(path / "snapshot")
    async with FileVectorStore({"path": path}) as store:
        assert await store.count() == 1
