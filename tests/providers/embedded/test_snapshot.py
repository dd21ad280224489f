"""Snapshots: arrays that are mapped, and used only with the journal they were made of."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from symphony_registry.providers.embedded.journal import snapshot as snapshots
from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.snapshot import Snapshot, read_snapshot, write_snapshot


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


@pytest.mark.parametrize("window", [100, 4500, 1 << 20])
def test_it_is_of_the_journal_up_to_its_end_only(
    window: int, snapshot: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_WINDOW", window)
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


def test_one_of_another_version_is_not_used(
    snapshot: Path, journal: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshots, "VERSION", snapshots.VERSION + 1)
    assert read(snapshot, journal) is None
    assert not caplog.text
