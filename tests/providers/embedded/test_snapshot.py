"""Snapshots: arrays that are mapped, and used only with the journal they were made of."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.snapshot import Snapshot, checksum, read_snapshot, write_snapshot


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    path.write_bytes(b"some lines\n" * 1000)
    return path


@pytest.fixture
def snapshot(tmp_path: Path, journal: Path) -> Path:
    arrays: dict[str, npt.NDArray[Any]] = {
        "matrix": np.arange(30_000, dtype=np.float32).reshape(100, 300),
        "ids": np.frombuffer(b'["a"]', np.uint8),
    }
    with Directory(tmp_path) as directory, journal.open("rb") as file:
        write_snapshot(directory, file, Snapshot(9_000, 800, {"metric": "dot"}, arrays))
    return tmp_path / "snapshot"


def read(snapshot: Path, journal: Path) -> Snapshot | None:
    with Directory(snapshot.parent) as directory, journal.open("rb") as file:
        return read_snapshot(directory, file)


def test_what_was_written_is_read(snapshot: Path, journal: Path) -> None:
    found = read(snapshot, journal)
    assert found is not None
    assert found[:3] == (9_000, 800, {"metric": "dot"})
    assert np.array_equal(found.arrays["matrix"], np.arange(30_000, dtype=np.float32).reshape(100, 300))
    assert found.arrays["ids"].tobytes() == b'["a"]'


def test_what_is_changed_in_memory_stays_there(snapshot: Path, journal: Path) -> None:
    before = snapshot.read_bytes()
    found = read(snapshot, journal)
    assert found is not None
    found.arrays["matrix"][0] = 7
    assert snapshot.read_bytes() == before


def test_it_is_of_the_journal_up_to_its_end_only(snapshot: Path, journal: Path) -> None:
    content = journal.read_bytes()
    journal.write_bytes(content + b"more")
    assert read(snapshot, journal) is not None
    journal.write_bytes(content[:9_000])
    assert read(snapshot, journal) is not None
    journal.write_bytes(content[:8_999])
    assert read(snapshot, journal) is None
    for index in range(0, 9_000, 97):
        journal.write_bytes(content[:index] + b"?" + content[index + 1 :])
        assert read(snapshot, journal) is None


def test_a_changed_byte_is_noticed_and_said(snapshot: Path, journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = snapshot.read_bytes()
    line = content.index(b"\n") + 1
    for index in [*range(0, line, 7), *range(4096, 4096 + 120_000, 997)]:
        snapshot.write_bytes(content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :])
        caplog.clear()
        assert read(snapshot, journal) is None
        assert "cannot be used" in caplog.text


def test_one_that_was_cut_is_not_used(snapshot: Path, journal: Path) -> None:
    content = snapshot.read_bytes()
    for length in range(0, len(content) - 4096, 1000):  # of the last array, a page
        snapshot.write_bytes(content[:length])
        assert read(snapshot, journal) is None


def test_without_one_there_is_none(tmp_path: Path, journal: Path) -> None:
    assert read(tmp_path / "snapshot", journal) is None


@pytest.mark.parametrize("size", [0, 1, 7, 8, 65_535, 65_536, 65_537, 200_003])
def test_a_checksum_changes_with_every_byte(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    before = checksum(data)
    for index in range(0, size, max(1, size // 50)):
        data[index] ^= 1
        assert checksum(data) != before
        data[index] ^= 1
    assert checksum(data) == before


def test_a_checksum_changes_when_two_parts_are_exchanged() -> None:
    data = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8)
    before = checksum(data)
    for first, second in ((0, 512), (512, 65_536 + 512), (100_000, 200_000), (262_144 + 8, 280_000)):
        changed = data.copy()
        changed[first : first + 512] = data[second : second + 512]
        changed[second : second + 512] = data[first : first + 512]
        assert checksum(changed) != before
