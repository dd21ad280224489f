"""The journal behind the file providers: format, locking, damage, compaction, failing disks."""

import asyncio
import errno
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import pytest

from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.errors import (
    BackendNotOpenError,
    InvalidValueError,
    StorageCorruptedError,
    StorageError,
    StorageFormatError,
    StorageLockedError,
)
from symphony_registry.providers.embedded.journal import Journal, segment
from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.lines import closing_line, encode_group, header


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "store"


def opened(directory: Path, kind: str = "test") -> Journal:
    """Return a journal that was read to its end."""
    journal = Journal(directory, kind)
    for _ in journal.replay():
        pass
    return journal


def write(directory: Path, *groups: list[dict[str, Any]]) -> Path:
    """Make a journal with these groups of records; return its path."""
    journal = opened(directory)
    for group in groups:
        journal.append(group)
    journal.close()
    return journal.path


def read(directory: Path) -> list[dict[str, Any]]:
    journal = Journal(directory, "test")
    try:
        return list(chain.from_iterable(journal.replay()))
    finally:
        journal.close()


class TestFormat:
    async def test_every_line_is_json_with_a_checksum_and_a_number(self, directory: Path) -> None:
        async with FileVectorStore({"path": directory}) as store:
            await store.add_many([("a", [1.0, 0.5], {"lang": "en"}), ("b", [0.0, 1.0], None)])
            await store.delete("a")
        lines = (directory / "journal.jsonl").read_bytes().splitlines()
        records = [json.loads(line) for line in lines]
        assert records[0] == {
            "crc": records[0]["crc"],
            "seq": 0,
            "format": "symphony-registry-journal",
            "version": 3,
            "kind": "vector_store",
        }
        assert [(record["seq"], record.get("part", 0), record.get("more", False)) for record in records[1:]] == [
            (1, 0, True),
            (2, 1, False),
            (3, 0, False),
            (4, 0, False),
        ]
        assert records[4] == {"crc": records[4]["crc"], "seq": 4, "closed": True}
        assert records[1] | {"crc": 0} == {
            "crc": 0,
            "seq": 1,
            "more": True,
            "op": "put",
            "id": "a",
            "vector": "AACAPwAAAD8=",
            "metadata": {"lang": "en"},
        }
        for line, record in zip(lines, records, strict=True):
            assert zlib.crc32(line[line.index(b'"seq"') :]) == int(record["crc"], 16)

    async def test_ids_never_become_file_names(self, directory: Path) -> None:
        async with FileCheckpointStore({"path": directory}) as store:
            for id in ("../x", "a/b", "LOCK", "journal.jsonl"):
                await store.save_checkpoint(id, {})
        assert sorted(path.name for path in directory.iterdir()) == ["LOCK", "journal.jsonl"]
        assert [path.name for path in directory.parent.iterdir()] == ["store"]

    def test_records_come_back_in_order(self, directory: Path) -> None:
        write(directory, [{"n": 1}], [{"n": 2}, {"n": 3}])
        assert read(directory) == [{"n": 1}, {"n": 2}, {"n": 3}]


class TestOlderVersion:
    OLD: ClassVar[list[dict[str, Any]]] = [
        {"op": "save", "id": "a", "timestamp": 1.5, "metadata": {"n": 1}, "data": {"x": 1}},
        {"op": "save", "id": "b", "timestamp": 2.5, "metadata": {}, "data": {}},
        {"op": "save", "id": "c", "timestamp": 3.5, "metadata": {}, "data": {"y": 2}},
        {"op": "delete", "id": "b"},
    ]

    @pytest.fixture
    def old(self, directory: Path) -> Path:
        """Make a store of version 2."""
        directory.mkdir()
        records = [{**header("checkpoint_store"), "version": 2}, *self.OLD]
        lines = [b"".join(parts) for number, record in enumerate(records) for parts in encode_group([record], number)]
        path = directory / "journal.jsonl"
        path.write_bytes(b"".join([*lines, closing_line(len(records))]))
        return path

    async def test_it_is_read_and_rewritten_when_it_is_opened(self, old: Path) -> None:
        async with FileCheckpointStore({"path": old.parent}) as store:
            assert b'"version":3' in old.read_bytes().splitlines()[0]
            before = [checkpoint async for checkpoint in store.scan()]
            assert [(each["checkpoint_id"], each["data"]) for each in before] == [("a", {"x": 1}), ("c", {"y": 2})]
            assert before[0]["metadata"] == {"n": 1, "timestamp": 1.5, "checkpoint_id": "a"}
            assert before[0]["version"] < before[1]["version"] < await store.save_checkpoint("d", {}, payload=b"\0")
            await store.delete_checkpoint("d")
        async with FileCheckpointStore({"path": old.parent}) as store:
            assert [checkpoint async for checkpoint in store.scan()] == before

    async def test_it_is_left_alone_by_who_only_reads(self, old: Path) -> None:
        before = old.read_bytes()
        async with FileCheckpointStore({"path": old.parent, "read_only": True}) as store:
            assert await store.count() == 2
        assert old.read_bytes() == before

    async def test_it_stays_where_it_cannot_be_rewritten(self, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = old.read_bytes()
        with monkeypatch.context() as disk:
            disk.setattr(os, "rename", full)
            with pytest.raises(StorageError, match="could not be rewritten: No space left"):
                await FileCheckpointStore({"path": old.parent}).connect()
        assert old.read_bytes() == before
        async with FileCheckpointStore({"path": old.parent}) as store:
            assert await store.count() == 2


class TestDirectory:
    def test_it_is_made_with_its_parents(self, tmp_path: Path) -> None:
        write(tmp_path / "a" / "b" / "c")
        assert read(tmp_path / "a" / "b" / "c") == []

    def test_one_with_other_files_is_refused_and_not_touched(self, directory: Path) -> None:
        directory.mkdir()
        (directory / "notes.txt").write_text("mine")
        with pytest.raises(StorageFormatError, match=r"holds other files \(notes\.txt\) and no journal\.jsonl"):
            Journal(directory, "test")
        assert [path.name for path in directory.iterdir()] == ["notes.txt"]

    def test_a_file_in_its_place_is_an_error_that_names_it(self, directory: Path) -> None:
        directory.write_text("a file")
        with pytest.raises(StorageError, match=r"store/journal\.jsonl could not be opened: Not a directory"):
            Journal(directory, "test")

    def test_a_journal_of_another_kind_or_program_or_version_is_refused_and_not_touched(self, directory: Path) -> None:
        path = write(directory, [{"n": 1}])
        content = path.read_bytes()
        (directory / "LOCK").unlink()
        with pytest.raises(StorageFormatError, match="holds a test, not a other"):
            Journal(directory, "other")
        assert path.read_bytes() == content
        for other, message in (
            ({**header("test"), "version": 9}, "has the format version 9; this package reads versions up to 3"),
            ({**header("test"), "format": "x"}, "is not a journal of this package"),
        ):
            path.write_bytes(content := b"".join(next(encode_group([other], 0))))
            with pytest.raises(StorageFormatError, match=message):
                read(directory)
            assert path.read_bytes() == content
        assert [each.name for each in directory.iterdir()] == ["journal.jsonl"]

    def test_some_other_json_lines_are_refused_and_not_touched(self, directory: Path) -> None:
        directory.mkdir()
        path = directory / "journal.jsonl"
        for content in (b'{"a": 1}\n{"b": 2}\n', b"", b"no json at all"):
            path.write_bytes(content)
            with pytest.raises((StorageCorruptedError, StorageFormatError)):
                read(directory)
            assert path.read_bytes() == content
        assert [each.name for each in directory.iterdir()] == ["journal.jsonl"]


HOLD = """
import sys
from pathlib import Path
from symphony_registry.providers.embedded.journal import Journal
journal = Journal(Path(sys.argv[1]), "test")
print("locked", flush=True)
sys.stdin.read()
"""


class TestLock:
    @pytest.fixture
    def holder(self, directory: Path) -> Iterator["subprocess.Popen[str]"]:
        """Another process that holds the directory."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()
        process.communicate()

    def test_a_second_process_is_told_the_path_and_the_holders_pid(
        self, directory: Path, holder: "subprocess.Popen[str]"
    ) -> None:
        with pytest.raises(StorageLockedError, match=rf"{directory} is in use by another process \(pid {holder.pid}\)"):
            Journal(directory, "test")

    def test_the_lock_of_a_dead_process_does_not_stay(self, directory: Path, holder: "subprocess.Popen[str]") -> None:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert read(directory) == []

    def test_it_holds_within_one_process_too(self, directory: Path) -> None:
        journal = Journal(directory, "test")
        with pytest.raises(StorageLockedError, match="another backend of this process"):
            Journal(directory, "test")
        journal.close()
        assert read(directory) == []

    def test_a_lock_that_cannot_be_given_free_is_gone_with_its_file(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = Journal(directory, "test")
        with monkeypatch.context() as kernel:
            kernel.setattr(fcntl, "flock", full)
            journal.close()
        assert read(directory) == []

    def test_a_journal_that_is_forgotten_open_is_a_resource_warning_and_gives_the_lock_free(
        self, directory: Path
    ) -> None:
        journal = Journal(directory, "test")
        with pytest.warns(ResourceWarning, match="was not closed"):
            del journal
        assert read(directory) == []


class TestDamage:
    GROUPS = ([{"n": 1}], [{"n": 2}, {"n": 3}, {"n": 4}], [{"n": 5}])

    def written(self, directory: Path) -> tuple[Path, bytes, list[int]]:
        """Return a journal that was not closed, its content, and the end of the header and of each group."""
        journal = opened(directory)
        ends = []
        for group in self.GROUPS:
            ends.append(journal.end)
            journal.append(group)
        content = journal.path.read_bytes()
        ends.append(journal.end)
        journal.close()
        return journal.path, content, ends

    def test_a_write_that_stopped_at_any_byte_is_left_out_and_overwritten(
        self, directory: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path, content, ends = self.written(directory)
        assert set(content[ends[-1] :]) == {ord("\t")}
        for length in range(ends[0], ends[-1]):
            path.write_bytes(content[:length].ljust(len(content), b"\t"))
            whole = sum(end <= length for end in ends[1:])
            expected = [record for group in self.GROUPS[:whole] for record in group]
            journal = Journal(directory, "test")
            assert list(chain.from_iterable(journal.replay())) == expected
            journal.append([{"n": 9}])
            journal.close()
            assert read(directory) == [*expected, {"n": 9}]
        assert "left out 1 bytes of a write that was not finished" in caplog.text

    def test_a_write_of_which_any_sectors_are_missing_is_left_out(self, directory: Path) -> None:
        first = {"n": 1, "text": "a" * 600}  # does not fit into the padding of a new journal
        journal = opened(directory)
        journal.append([first])
        start = journal.end
        before = journal.path.read_bytes()
        journal.append([{"n": 2, "text": "x" * 700}, {"n": 3, "text": "y" * 700}, {"n": 4}])
        after = journal.path.read_bytes()
        journal.close()
        bounds = range(start - start % 512, len(after), 512)
        written = [at for at in bounds if after[at : at + 512] != before[at : at + 512]]
        assert len(before) == len(after)
        assert len(written) >= 3
        for choice in range(2 ** len(written) - 1):
            state = bytearray(before)
            for bit, at in enumerate(written):
                if choice >> bit & 1:
                    state[at : at + 512] = after[at : at + 512]
            journal.path.write_bytes(state)
            assert read(directory) == [first]

    def test_a_large_write_makes_room_for_more_that_is_left_blank(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(segment, "_MOST_PADDING", 1000)
        journal = opened(directory)
        sizes, records = [], [{"n": number, "text": "x" * 2000} for number in range(8)]
        for record in records:
            journal.append([record])
            sizes.append(journal.path.stat().st_size)
        assert len(set(sizes)) == 2
        assert journal.path.read_bytes()[journal.end :].strip(b"\0") == b""
        journal.append([small := {"n": 8}])
        assert journal.path.stat().st_size == sizes[-1]
        assert journal.path.read_bytes()[journal.end + 1 :].startswith(b"\t" * 900)
        journal.close()
        assert journal.path.stat().st_size < journal.end + 200
        assert read(directory) == [*records, small]

    def test_room_for_the_next_large_write_takes_no_sync_of_its_own(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(segment, "_MOST_PADDING", 1000)
        journal = opened(directory)
        journal.append([{"n": 0, "text": "x" * 2000}])
        calls = calls_of(monkeypatch, "pwritev", "ftruncate", "fsync", "fdatasync")
        for number in range(8):
            journal.append([{"n": number, "text": "x" * 2000}])
        in_place, longer = ["pwritev", "fdatasync"], ["pwritev", "ftruncate", "fsync"]
        assert calls == (3 * in_place + longer) * 2
        journal.close()

    def test_what_a_killed_process_left_is_synced_before_a_large_write(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(segment, "_MOST_PADDING", 1000)
        killed = opened(directory)
        killed.append([{"n": 0, "text": "x" * 2000}])
        killed.abandon()
        journal = opened(directory)
        assert journal.path.stat().st_size > journal.end + 4000
        calls = calls_of(monkeypatch, "pwritev", "fsync", "fdatasync")
        journal.append([{"n": 1, "text": "x" * 2000}])
        journal.close()
        assert calls[:4] == ["fsync", "fsync", "pwritev", "fdatasync"]  # the names and the file, then the write

    def test_a_file_that_was_cut_is_an_error_wherever_it_was_cut(self, directory: Path) -> None:
        path, content, ends = self.written(directory)
        closed = path.read_bytes()
        for whole in (closed, content[: ends[-1] + 1]):
            for length in range(len(whole)):
                path.write_bytes(whole[:length])
                with pytest.raises(StorageCorruptedError, match=r"journal\.jsonl is damaged at byte"):
                    read(directory)

    def test_a_changed_byte_is_an_error_that_names_file_and_offset(self, directory: Path) -> None:
        path, content, ends = self.written(directory)
        for whole in (content, path.read_bytes()):
            for index in range(ends[-1]):
                for change in (1, 0x80, 0xFF):
                    path.write_bytes(whole[:index] + bytes([whole[index] ^ change]) + whole[index + 1 :])
                    with pytest.raises(StorageCorruptedError) as caught:
                        read(directory)
                    assert str(path) in str(caught.value)
                    assert caught.value.offset == whole.rfind(b"\n", 0, index) + 1

    @pytest.mark.parametrize("blank", [b"\0", b"\t"])
    def test_a_closed_journal_whose_end_is_blank_was_not_interrupted(self, directory: Path, blank: bytes) -> None:
        path = write(directory, *([{"n": n}] for n in range(40)))
        content = path.read_bytes()
        for start in range(len(content) // 2, len(content) - 1):
            path.write_bytes(content[:start].ljust(len(content), blank))
            with pytest.raises(StorageCorruptedError):
                read(directory)

    def test_damage_before_an_unfinished_write_is_an_error(self, directory: Path) -> None:
        path, content, ends = self.written(directory)
        begun = content[ends[2] : ends[2] + 40]
        for index in range(ends[2], ends[3]):
            state = bytearray(content)
            state[index] ^= 1
            state[ends[3] : ends[3] + 40] = begun
            path.write_bytes(state)
            with pytest.raises(StorageCorruptedError):
                read(directory)

    def test_a_blank_before_a_whole_write_is_an_error(self, directory: Path) -> None:
        path, content, ends = self.written(directory)
        state = bytearray(content)
        state[ends[1] : ends[2]] = bytes(ends[2] - ends[1])
        path.write_bytes(state)
        with pytest.raises(StorageCorruptedError):
            read(directory)

    def test_what_a_compaction_wrote_is_never_taken_for_an_unfinished_write(self, directory: Path) -> None:
        journal = opened(directory)
        journal.rewrite({"n": number} for number in range(20))
        journal.close()
        content = journal.path.read_bytes()
        start = content.index(b"\n") + 1
        for at in range(start - start % 512, len(content), 512):
            blanked = content[: max(at, start)].ljust(min(at + 512, len(content)), b"\0")
            journal.path.write_bytes(blanked + content[at + 512 :] + b"\t" * 100)
            with pytest.raises(StorageCorruptedError):
                read(directory)

    def test_missing_and_repeated_lines_are_noticed(self, directory: Path) -> None:
        path = write(directory, *self.GROUPS)
        lines = path.read_bytes().splitlines(keepends=True)
        for changed in ([*lines[:2], *lines[3:]], [*lines[:2], *lines[1:]], [lines[0], *lines[2:], lines[1]]):
            path.write_bytes(b"".join(changed))
            with pytest.raises(StorageCorruptedError, match="lines before it are missing or repeated"):
                read(directory)

    async def test_options_that_do_not_fit_what_is_stored_are_an_error_that_says_so(self, directory: Path) -> None:
        async with FileVectorStore({"path": directory, "metric": "dot"}) as store:
            await store.add("a", [0.0, 0.0])
        with pytest.raises(InvalidValueError, match="option dimension is 7, but what is stored has dimension 2"):
            await FileVectorStore({"path": directory, "dimension": 7, "metric": "dot"}).connect()
        with pytest.raises(InvalidValueError, match="option metric is cosine, but the vector stored under 'a'"):
            await FileVectorStore({"path": directory}).connect()

    async def test_a_change_that_does_not_fit_the_data_is_named(self, directory: Path) -> None:
        journal = opened(directory, "vector_store")
        journal.append([{"op": "delete", "id": "never added"}])
        journal.close()
        with pytest.raises(StorageCorruptedError, match=r"a change that does not fit.*KeyError: 'never added'"):
            await FileVectorStore({"path": directory}).connect()


def calls_of(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Return a list to which the name of each call to the system, of those given, is added from now on."""
    calls: list[str] = []

    def noted(name: str, call: Any, *arguments: Any) -> Any:
        calls.append(name)
        return call(*arguments)

    for name in names:
        monkeypatch.setattr(os, name, partial(noted, name, getattr(os, name)))
    return calls


def full(*_: Any, **__: Any) -> int:
    """Fail as a disk does that has no space left."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestFailingDisk:
    @pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
    async def test_a_write_that_fails_is_an_error_and_nothing_is_changed(
        self, call: str, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with FileVectorStore({"path": directory}) as store:
            await store.add("a", [1.0])
            with monkeypatch.context() as disk:
                disk.setattr(os, call, full)
                with pytest.raises(StorageError, match=r"journal\.jsonl could not be written: No space left") as caught:
                    await store.add("b", [1.0])
                assert isinstance(caught.value.__cause__, OSError)
            assert [item["id"] async for item in store.scan()] == ["a"]
            await store.disconnect()
            await store.connect()
            assert [item["id"] async for item in store.scan()] == ["a"]
            await store.add("c", [1.0])  # the disk works again
        async with store:
            assert [item["id"] async for item in store.scan()] == ["a", "c"]

    async def test_a_short_write_is_continued(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "pwritev", lambda descriptor, parts, at: os.pwrite(descriptor, b"".join(parts)[:7], at))
        async with FileVectorStore({"path": directory}) as store:
            await store.add("a", [1.0])
        async with store:
            assert await store.count() == 1

    def test_a_large_write_counts_where_the_file_cannot_be_made_longer_for_the_next(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(segment, "_MOST_PADDING", 1000)
        journal = opened(directory)
        records = [{"n": number, "text": "x" * 2000} for number in range(8)]
        journal.append(records[:1])
        with monkeypatch.context() as disk:
            disk.setattr(os, "ftruncate", full)
            for record in records[1:5]:
                journal.append([record])
            with pytest.raises(StorageError, match="No space left"):
                journal.append([{"n": 9, "text": "x" * 2000}])
        for record in records[5:]:
            journal.append([record])
        journal.close()
        assert read(directory) == records

    async def test_a_disk_that_is_nearly_full_takes_what_fits(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room = 1_000_000  # bytes that the journal may have

        def limited(descriptor: int, parts: Sequence[bytes], offset: int) -> int:
            if offset >= room:
                full()
            return os.pwrite(descriptor, b"".join(parts)[: room - offset], offset)

        monkeypatch.setattr(os, "pwritev", limited)
        async with FileCheckpointStore({"path": directory}) as store:
            for number in range(7):
                await store.save_checkpoint(f"large {number}", {"text": "x" * 100_000})
            for number in range(12):
                await store.save_checkpoint(f"{number}", {"text": "x" * 20_000})
            with pytest.raises(StorageError, match="No space left"):
                await store.save_checkpoint("too much", {"text": "x" * 100_000})
            await store.save_checkpoint("small", {"text": "x" * 20_000})
        monkeypatch.undo()
        async with store:
            assert await store.count() == 20

    async def test_a_store_on_a_full_disk_is_closed_with_a_warning_and_nothing_is_lost(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FileCheckpointStore({"path": directory})
        await store.connect()
        await store.save_checkpoint("a", {})
        with monkeypatch.context() as disk:
            disk.setattr(os, "pwritev", full)
            await store.disconnect()
        assert "closed without its last line, since the disk is full; nothing is lost" in caplog.text
        async with store:
            assert await store.count() == 1

    async def test_a_health_check_does_not_wait_for_a_disk_that_hangs(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        released = threading.Event()
        async with FileKnowledgeGraph({"path": directory}) as graph:
            monkeypatch.setattr(Journal, "look", lambda _: released.wait(60))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(graph.health_check(), 0.01)
            released.set()

    async def test_health_tells_when_the_file_is_gone(self, directory: Path) -> None:
        async with FileKnowledgeGraph({"path": directory}) as graph:
            assert await graph.health_check()
            (directory / "journal.jsonl").unlink()
            assert not await graph.health_check()


class TestCompaction:
    async def test_superseded_lines_are_dropped_and_nothing_else(self, directory: Path) -> None:
        async with FileCheckpointStore({"path": directory}) as store:
            for number in range(5_000):
                await store.save_checkpoint(f"c{number % 10}", {"n": number})
            lines = len((directory / "journal.jsonl").read_bytes().splitlines())
        assert lines < 1_500
        async with store:
            ids = [info["checkpoint_id"] for info in await store.list_checkpoints()]
            assert ids == [f"c{number}" for number in range(10)]
            latest = await store.get_latest_checkpoint()
            assert latest is not None
            assert latest["data"] == {"n": 4_999}

    async def test_a_dimension_stays_fixed_when_all_vectors_are_gone(self, directory: Path) -> None:
        async with FileVectorStore({"path": directory}) as store:
            for number in range(1_100):
                await store.add("a", [1.0, float(number)])
            await store.delete("a")
        async with store:
            assert await store.dimension() == 2
            await store.clear()
        async with store:
            assert await store.dimension() is None

    async def test_one_that_fails_is_logged_loses_nothing_and_is_tried_again(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with FileCheckpointStore({"path": directory}) as store:
            with monkeypatch.context() as disk, caplog.at_level(logging.WARNING):
                disk.setattr(os, "rename", full)
                for number in range(1_500):
                    await store.save_checkpoint("a", {"n": number})
            assert "could not be compacted" in caplog.text
            for number in range(2_000):
                await store.save_checkpoint("a", {"n": number})
            assert len((directory / "journal.jsonl").read_bytes().splitlines()) < 2_000
        async with store:
            saved = await store.get_checkpoint("a")
            assert saved is not None
            assert saved["data"] == {"n": 1_999}

    async def test_a_crash_before_the_rename_leaves_the_old_journal(self, directory: Path) -> None:
        path = write(directory, [{"n": 1}])
        (directory / "journal.jsonl.new").write_bytes(b"half a new jour")
        assert read(directory) == [{"n": 1}]
        assert [each.name for each in path.parent.iterdir() if each.suffix == ".new"] == []


class TestTasks:
    def test_writes_of_tasks_that_are_cancelled_with_everything_else_are_whole(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An event loop that ends cancels every task, ours too."""
        store = FileCheckpointStore({"path": directory})
        acknowledged: list[str] = []

        async def save(id: str) -> None:
            await store.save_checkpoint(id, {"n": 1})
            acknowledged.append(id)

        async def work() -> None:
            try:
                await save("step")
            finally:
                await save("last")
                await save("after")

        async def main() -> None:
            await store.connect()
            task = asyncio.ensure_future(work())
            for _ in range(3):
                await asyncio.sleep(0)
            assert not task.done()

        asyncio.run(main())
        asyncio.run(store.disconnect())
        assert {"last", "after"} <= set(acknowledged)

        async def stored() -> list[str]:
            async with store:
                return [info["checkpoint_id"] for info in await store.list_checkpoints()]

        assert set(acknowledged) <= set(asyncio.run(stored()))

    def test_a_write_that_had_not_begun_when_the_event_loop_ends_does_not_hang(self, directory: Path) -> None:
        store = FileVectorStore({"path": directory})
        writes: list[asyncio.Future[None]] = []

        async def leave() -> None:
            await store.connect()
            writes.append(asyncio.ensure_future(store.add("a", [1.0])))
            await asyncio.sleep(0)

        asyncio.run(leave())
        assert writes[0].done()

        async def count() -> int:
            await store.connect()
            await store.add("b", [1.0])
            return await store.count()

        assert asyncio.run(count()) in (1, 2)
        asyncio.run(store.disconnect())

    def test_what_was_written_on_an_event_loop_that_was_closed_is_taken_up_on_the_next(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.fdatasync

        def slow(descriptor: int) -> None:
            time.sleep(0.05)  # the disk
            real(descriptor)

        monkeypatch.setattr(os, "fdatasync", slow)
        store = FileVectorStore({"path": directory})
        loop = asyncio.new_event_loop()
        loop.run_until_complete(store.connect())
        abandoned = [loop.create_task(store.add("a", [float(number)])) for number in (1, 2)]
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

        async def go_on() -> list[str]:
            await store.connect()
            await store.add("b", [1.0])
            return [item["id"] async for item in store.scan()]

        seen = asyncio.run(go_on())
        assert "b" in seen

        async def stored() -> list[str]:
            await store.disconnect()
            async with store:
                return [item["id"] async for item in store.scan()]

        assert asyncio.run(stored()) == seen
        for task in abandoned:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            task.get_coro().close()

    def test_a_failed_opening_after_an_event_loop_that_ended_is_tried_again(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = FileCheckpointStore({"path": directory})

        async def leave() -> None:
            await store.connect()
            await store.save_checkpoint("a", {})
            store.save_checkpoint("b", {}).send(None)  # is begun, and nobody waits

        loop = asyncio.new_event_loop()
        loop.run_until_complete(leave())
        loop.close()

        async def go_on() -> int:
            with monkeypatch.context() as disk:
                disk.setattr(Directory, "open", full)
                with pytest.raises(StorageError):
                    await store.connect()
            assert not store.is_open
            await store.connect()
            await store.save_checkpoint("c", {})
            return await store.count()

        assert asyncio.run(go_on()) in (2, 3)
        asyncio.run(store.disconnect())

    async def test_disconnect_does_not_wait_for_writers_without_end(self, directory: Path) -> None:
        store = FileVectorStore({"path": directory})
        await store.connect()

        async def write(name: str) -> None:
            for number in range(1_000_000):
                await store.add(f"{name}{number}", [1.0])

        writers = [asyncio.ensure_future(write(name)) for name in "abc"]
        await asyncio.sleep(0)
        await store.disconnect()
        results = await asyncio.gather(*writers, return_exceptions=True)
        assert {type(result) for result in results} == {BackendNotOpenError}

    async def test_an_unforeseen_error_leaves_no_write_waiting_and_no_lock(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> None:
            raise MemoryError

        async with FileCheckpointStore({"path": directory}) as store:
            with monkeypatch.context() as patch:
                patch.setattr(Journal, "append", fail)
                saving = (store.save_checkpoint(f"{number}", {}) for number in range(5))
                errors = await asyncio.gather(*saving, return_exceptions=True)
            assert {type(error) for error in errors} == {MemoryError}
            with monkeypatch.context() as patch:
                patch.setattr(Journal, "rewrite", fail)
                for number in range(1_500):
                    await store.save_checkpoint("a", {"n": number})
        async with store:
            assert await store.count() == 1

    async def test_calls_from_all_threads_of_the_default_executor_do_not_block(self, directory: Path) -> None:
        loop = asyncio.get_running_loop()

        async with FileCheckpointStore({"path": directory}) as store:

            def tool(number: int) -> None:
                saving = store.save_checkpoint(f"{number}", {})
                asyncio.run_coroutine_threadsafe(saving, loop).result(timeout=30)

            await asyncio.gather(*(asyncio.to_thread(tool, number) for number in range(40)))
            assert await store.count() == 40

    async def test_data_changed_while_they_are_saved_are_saved_as_they_were(self, directory: Path) -> None:
        async with FileCheckpointStore({"path": directory}) as store:
            data = {f"{number}": [number] for number in range(20_000)}
            saving = asyncio.ensure_future(store.save_checkpoint("a", data))
            await asyncio.sleep(0)
            data["0"].append(1)
            data.clear()
            await saving
            saved = await store.get_checkpoint("a")
            assert saved is not None
            assert saved["data"] == {f"{number}": [number] for number in range(20_000)}

    def test_a_forked_child_does_not_keep_the_lock(self, directory: Path) -> None:
        journal = Journal(directory, "test")
        child = os.fork()
        if child == 0:
            signal.pause()
        try:
            journal.close()
            assert read(directory) == []
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    async def test_a_cancelled_write_is_whole_or_not_there(self, directory: Path) -> None:
        async with FileVectorStore({"path": directory}) as store:
            for number in range(50):
                items = [(f"{number}-{part}", [1.0], None) for part in range(10)]
                writing = asyncio.ensure_future(store.add_many(items))
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                assert sum([item["id"].startswith(f"{number}-") async for item in store.scan()]) in (0, 10)
            before = [item async for item in store.scan()]
        async with store:
            assert [item async for item in store.scan()] == before

    async def test_many_tasks_share_a_sync(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        syncs: list[int] = []
        real = os.fdatasync

        def counted(descriptor: int) -> None:
            syncs.append(1)
            real(descriptor)

        monkeypatch.setattr(os, "fdatasync", counted)
        async with FileVectorStore({"path": directory}) as store:
            await store.add("first", [1.0])
            syncs.clear()
            await asyncio.gather(*(store.add(f"{number}", [1.0]) for number in range(64)))
            assert len(syncs) < 10
            await asyncio.gather(*(store.add("same", [float(number)]) for number in range(1, 9)))
            item = await store.get("same")
            assert item is not None
            assert item["vector"] == [8.0]

    async def test_a_failed_sync_fails_every_write_of_its_group(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with FileCheckpointStore({"path": directory}) as store:
            with monkeypatch.context() as disk:
                disk.setattr(os, "fdatasync", full)
                saving = (store.save_checkpoint(f"{number}", {}) for number in range(8))
                errors = await asyncio.gather(*saving, return_exceptions=True)
                assert {type(error) for error in errors} == {StorageError}
            assert await store.count() == 0
            await store.save_checkpoint("a", {})
        async with store:
            assert await store.count() == 1

    def test_an_event_loop_that_ends_in_the_middle_of_a_write_does_not_hang(self, directory: Path) -> None:
        store = FileVectorStore({"path": directory})
        writes: list[asyncio.Future[None]] = []

        async def leave() -> None:
            await store.connect()
            writes.extend(asyncio.ensure_future(store.add(f"{number}", [1.0])) for number in range(20))
            await asyncio.sleep(0)

        asyncio.run(leave())
        assert all(write.done() for write in writes)
        asyncio.run(store.disconnect())

    async def test_a_clear_that_waits_when_the_store_is_closed_is_not_undone_by_its_snapshot(
        self, directory: Path
    ) -> None:
        store = FileVectorStore({"path": directory})
        await store.connect()
        await store.add_many([(f"old {n}", [1.0] * 1_000, None) for n in range(300)])
        writes = [store.clear(), *(store.add(f"new {n}", [2.0] * 1_000) for n in range(400))]
        writing = asyncio.gather(*writes)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await store.disconnect()
        await writing
        async with store:
            assert (await store.count(), await store.get("old 0")) == (400, None)

    async def test_disconnect_waits_for_the_writes_under_way(self, directory: Path) -> None:
        store = FileVectorStore({"path": directory})
        await store.connect()
        writing = asyncio.ensure_future(store.add("a", [1.0]))
        await asyncio.sleep(0)
        await store.disconnect()
        await writing
        async with store:
            assert await store.count() == 1
