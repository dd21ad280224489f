"""Power loss; the long form is `python -m torture power`."""

import random
from pathlib import Path

import pytest

from torture import power_loss
from torture.disk import intercepted
from torture.power_loss import Event, Names, Recorder, Recording, Sector, Size, Sync, subsets
from torture.subjects import SUBJECTS, Subject
from torture.tally import Tally


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_every_state_that_a_power_loss_may_leave_holds_what_was_acknowledged(subject: Subject) -> None:
    tally = Tally("power loss")
    power_loss.run(tally, each=4, again=100, seed=1, subjects=[subject])
    assert not tally.failures, tally.failures[0]
    assert tally.tried > 500


def test_a_write_that_nothing_synced_may_be_there_in_any_part(tmp_path: Path) -> None:
    """The machinery itself: without a sync, names, sizes and sectors come and go by themselves."""
    recorder = Recorder(tmp_path)
    with intercepted(tmp_path, recorder.handle), (tmp_path / "file").open("wb", buffering=0) as file:
        file.write(b"x" * 1_000)
    recorder._look()
    names, size, first, second = recorder.events
    assert isinstance(names, Names)
    assert isinstance(size, Size)
    assert isinstance(first, Sector)
    assert isinstance(second, Sector)
    moments = list(Recording(recorder.initial, recorder.events, [], []).moments())
    _, _, tree, pending = moments[-1]
    states = [tree.with_changes(chosen) for chosen in subsets(pending, 16, random.Random(1))]
    contents = {state.files.get(number) for state in states for number in state.names.values()}
    blank, data = bytes(512), b"x" * 512
    assert contents == {
        None,
        b"",
        bytes(1_000),
        data + bytes(488),
        blank + data[:488],
        data + data[:488],
    }


def test_what_was_synced_is_there_in_every_state(tmp_path: Path) -> None:
    events: list[Event] = [Names("", (("file", 1),)), Size(1, 3), Sector(1, 0, b"abc"), Sync(1), Sync("")]
    empty = power_loss.Tree({}, {})
    *_, (_, _, tree, pending) = Recording(empty, events, [], []).moments()
    assert not pending
    tree.write(tmp_path / "tree")
    assert (tmp_path / "tree" / "file").read_bytes() == b"abc"
