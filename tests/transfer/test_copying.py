"""Copying a store to another: what arrives, what is refused, and what an interruption leaves."""

# mypy: ignore-errors
# (stores of all types in the same variables)

import json
import tracemalloc
from contextlib import AsyncExitStack
from dataclasses import replace

import numpy as np
import pytest

from symphony_registry.backends import BackendType
from symphony_registry.errors import (
    BackendUnavailableError,
    InvalidValueError,
    TransferError,
    UnsupportedOperationError,
)
from symphony_registry.testing.expectations import assert_same
from symphony_registry.transfer import Action, Existing, StoreContents, as_kept, compare, copy, plan_copy
from symphony_registry.transfer.copying import _BYTES, _ITEMS
from symphony_registry.transfer.kinds import COLLECTIONS
from tests.helpers.plain import DictCheckpointStore, DictGraph
from tests.helpers.transfers import everything, filled, store_of

ALL = pytest.mark.parametrize("kind", BackendType)


@pytest.fixture
async def opened():
    async with AsyncExitStack() as stack:

        async def open_store(store):
            await stack.enter_async_context(store)
            return StoreContents(store)

        yield open_store


class InterruptedCopyError(Exception):
    """What a test breaks a copy off with."""


class BreaksOff(StoreContents):
    """A target that takes some batches and then no more."""

    def __init__(self, store, batches):
        super().__init__(store)
        self.batches = batches

    async def write(self, collection, items):
        if items and not self.batches:
            raise InterruptedCopyError
        self.batches -= bool(items)
        await super().write(collection, items)


async def copied(source, target, existing=Existing.REFUSE):
    plan = await plan_copy(source, target, existing)
    await copy(source, target, plan)
    return plan


@ALL
@pytest.mark.parametrize(("one", "other"), [("memory", "file"), ("file", "memory"), ("file", "file")])
async def test_everything_arrives_as_it_was_whatever_the_providers(kind, one, other, opened, tmp_path):
    source = await opened(store_of(kind, one, tmp_path / "a" if one == "file" else None))
    target = await opened(store_of(kind, other, tmp_path / "b" if other == "file" else None))
    before = await everything(await filled(source.store))
    plan = await copied(source, target)
    assert plan.action is Action.COPY
    assert_same(await everything(target.store), before, "the target")
    assert_same(await everything(source.store), before, "the source")
    assert (await compare(source, target)).equal


@ALL
async def test_what_has_arrived_is_there_after_the_target_was_opened_again(kind, opened, tmp_path):
    source, path = await opened(store_of(kind)), tmp_path
    await filled(source.store)
    async with store_of(kind, "file", path) as store:
        await copied(source, StoreContents(store))
    assert (await compare(source, await opened(store_of(kind, "file", path)))).equal


@ALL
async def test_an_empty_store_is_copied_as_nothing(kind, opened):
    source, target = await opened(store_of(kind)), await opened(store_of(kind))
    assert (await copied(source, target)).action is Action.NOTHING
    assert (await compare(source, target)).equal


@ALL
async def test_a_copy_that_was_interrupted_after_any_batch_is_continued_to_the_same_end(kind, opened):
    source = await opened(store_of(kind))
    await filled(source.store, more=_ITEMS * 2)
    whole = await everything(source.store)
    batches = 0
    while True:
        target = BreaksOff((await opened(store_of(kind))).store, batches)
        try:
            await copied(source, target)
            break
        except InterruptedCopyError:
            target.batches = -1
        held = len(await everything(target.store))
        plan = await copied(source, target)
        assert plan.action is (Action.CONTINUE if batches else Action.COPY)
        assert (plan.target_items, plan.to_copy) == (held, len(whole) - held)
        assert_same(await everything(target.store), whole, f"the target, interrupted after {batches} batches,")
        batches += 1
    assert batches == 3 * len(COLLECTIONS[kind])


@ALL
@pytest.mark.parametrize("existing", Existing)
async def test_a_target_that_holds_all_already_is_left_alone(kind, existing, opened):
    source, target = await opened(store_of(kind)), await opened(store_of(kind))
    await filled(source.store)
    await copied(source, target)
    untouched = BreaksOff(target.store, 0)
    untouched.clear = None
    plan = await copied(source, untouched, existing)
    assert (plan.action, plan.to_copy) == (Action.NOTHING, 0)


@ALL
async def test_a_store_that_is_its_own_target_keeps_everything_even_when_it_is_replaced(kind, opened):
    store = await opened(store_of(kind))
    before = await everything(await filled(store.store))
    await copied(store, store, Existing.REPLACE)
    assert_same(await everything(store.store), before, "the store")


async def put(store, id, n=-1):
    """Write one item that no source has."""
    match store.backend_type:
        case BackendType.VECTOR_STORE:
            await store.add(id, [1.0, 2.0, 3.0, 4.0], {"n": n})
        case BackendType.KNOWLEDGE_GRAPH:
            await store.add_entity(id, "Other", {"n": n})
        case BackendType.CHECKPOINT_STORE:
            await store.save_checkpoint(id, {"n": n})


@ALL
@pytest.mark.parametrize("id", ["another", "a", "\U0010ffff"])
async def test_a_target_with_something_else_is_refused_and_keeps_it(kind, id, opened):
    source, target = await opened(store_of(kind)), await opened(store_of(kind))
    await filled(source.store)
    await put(target.store, id)
    before = await everything(target.store)
    with pytest.raises(TransferError, match=r"is not empty.*--merge.*--replace"):
        await plan_copy(source, target)
    assert_same(await everything(target.store), before, "the target")


@ALL
async def test_an_interrupted_copy_that_somebody_has_written_to_is_refused(kind, opened):
    source, target = await opened(store_of(kind)), await opened(store_of(kind))
    await filled(source.store)
    await copied(source, target)
    await put(target.store, "a")
    with pytest.raises(TransferError, match="is not empty"):
        await plan_copy(source, target)


@ALL
async def test_replacing_leaves_only_what_the_source_holds(kind, opened):
    source, target = await opened(store_of(kind)), await opened(store_of(kind))
    await filled(source.store)
    await put(target.store, "another")
    plan = await copied(source, target, Existing.REPLACE)
    assert (plan.action, plan.target_items) == (Action.REPLACE, 1)
    assert_same(await everything(target.store), await everything(source.store), "the target")


@ALL
async def test_merging_writes_over_equal_ids_and_keeps_the_rest(kind, opened):
    source, target = await opened(store_of(kind)), await opened(store_of(kind))
    await filled(source.store)
    await put(target.store, "another")
    await put(target.store, "a")
    assert (await copied(source, target, Existing.MERGE)).action is Action.MERGE
    found = await compare(source, target, merged=True)
    assert (found.equal, found.others) == (True, 1)
    assert found.source == found.target
    assert not (await compare(source, target)).equal
    await copied(source, target, Existing.MERGE)
    assert await compare(source, target, merged=True) == found


async def test_merged_checkpoints_are_the_newest_in_the_order_of_the_source(opened):
    source, target = [await opened(store_of(BackendType.CHECKPOINT_STORE)) for _ in range(2)]
    for id in "cab":
        await source.store.save_checkpoint(id, {"from": "source"})
    for id in "xay":
        await target.store.save_checkpoint(id, {"from": "target"})
    for _ in range(2):
        await copied(source, target, Existing.MERGE)
        assert [each["checkpoint_id"] for each in await target.store.list_checkpoints()] == list("xycab")


async def test_another_dimension_is_refused_before_anything_is_written(opened):
    source = await opened(store_of(BackendType.VECTOR_STORE))
    await source.store.add("a", [1.0, 2.0])
    for existing in Existing:
        target = await opened(store_of(BackendType.VECTOR_STORE, dimension=3))
        if existing is not Existing.REFUSE:
            await target.store.add("kept", [1.0, 2.0, 3.0])
        before = await everything(target.store)
        with pytest.raises(TransferError, match="dimension 3, and the source has vectors of dimension 2"):
            await plan_copy(source, target, existing)
        assert_same(await everything(target.store), before, "the target")


async def test_a_dimension_that_no_option_fixes_is_no_option_to_correct(opened):
    source, target = [await opened(store_of(BackendType.VECTOR_STORE)) for _ in range(2)]
    await source.store.add("a", [1.0, 2.0])
    await target.store.add("b", [1.0, 2.0, 3.0])
    with pytest.raises(TransferError, match=r"of dimension 2\. Name another store\."):
        await plan_copy(source, target, Existing.MERGE)


async def test_replacing_frees_a_dimension_that_no_option_fixes(opened):
    source, target = [await opened(store_of(BackendType.VECTOR_STORE)) for _ in range(2)]
    await source.store.add("a", [1.0, 2.0])
    await target.store.add("b", [1.0, 2.0, 3.0])
    with pytest.raises(TransferError, match="dimension"):
        await plan_copy(source, target, Existing.MERGE)
    await copied(source, target, Existing.REPLACE)
    assert (await compare(source, target)).equal


async def test_what_a_target_does_not_take_is_named(opened):
    source = await opened(store_of(BackendType.VECTOR_STORE, metric="dot"))
    target = await opened(store_of(BackendType.VECTOR_STORE, metric="cosine"))
    await source.store.add_many([("first", [1.0, 2.0], None), ("zero", [0.0, 0.0], None)])
    with pytest.raises(TransferError, match=r"vectors from 'first' to 'zero'.*items\[1\].*length zero") as raised:
        await copied(source, target)
    assert isinstance(raised.value.__cause__, InvalidValueError)


async def test_nothing_is_deleted_for_what_the_target_could_not_take(opened):
    source = await opened(store_of(BackendType.VECTOR_STORE, metric="dot"))
    target = await opened(store_of(BackendType.VECTOR_STORE, metric="cosine"))
    await source.store.add_many([("first", [1.0, 2.0], None), ("zero", [0.0, 0.0], None)])
    await target.store.add("kept", [1.0, 2.0])
    with pytest.raises(TransferError, match=r"cannot take 'zero': .*length zero"):
        await plan_copy(source, target, Existing.REPLACE)


@ALL
async def test_nothing_is_deleted_for_an_empty_source(kind, opened):
    source, target = await opened(store_of(kind)), await opened(store_of(kind))
    await put(target.store, "kept")
    with pytest.raises(TransferError, match=r"The source is empty, and .* is not"):
        await plan_copy(source, target, Existing.REPLACE)
    assert (await copied(source, target, Existing.MERGE)).to_copy == 0


async def test_a_replacement_that_fails_says_that_the_rest_is_gone_and_can_be_continued(opened):
    source = await opened(store_of(BackendType.KNOWLEDGE_GRAPH))
    await filled(source.store, more=_ITEMS)

    class FailsOnce(StoreContents):
        fails = True

        async def write(self, collection, items):
            if collection.name == "relations" and items and self.fails:
                self.fails = False
                raise UnsupportedOperationError("not now.")
            await super().write(collection, items)

    target = FailsOnce((await opened(store_of(BackendType.KNOWLEDGE_GRAPH))).store)
    await put(target.store, "another")
    with pytest.raises(TransferError, match=r"not now\. What .* held before is deleted\. .*it resumes"):
        await copied(source, target, Existing.REPLACE)
    assert (await copied(source, target, Existing.REPLACE)).action is Action.CONTINUE
    assert (await compare(source, target)).equal


@ALL
async def test_what_a_provider_raises_is_told_without_its_text(kind, opened):
    class Fails(type(store_of(kind))):
        async def scan(self, batch_size=1000):
            raise OSError("hunter2")
            yield

        scan_entities = scan

    source, target = await opened(Fails()), await opened(store_of(kind))
    with pytest.raises(BackendUnavailableError, match=r"failed: OSError\. Its text may hold a secret") as raised:
        await compare(source, target)
    assert "hunter2" not in str(raised.value)
    assert "hunter2" in str(raised.value.__cause__)


async def test_a_bug_of_a_provider_is_not_called_unavailable_and_its_text_is_not_told(opened):
    class Buggy(type(store_of(BackendType.VECTOR_STORE))):
        async def count(self, metadata_filter=None):
            return {}["hunter2"]

    target = await opened(Buggy())
    with pytest.raises(TransferError, match=r'The vector_store "default" \(Buggy\) failed: KeyError\.') as raised:
        await plan_copy(await opened(store_of(BackendType.VECTOR_STORE)), target)
    assert "hunter2" not in str(raised.value)
    assert isinstance(raised.value.__cause__, KeyError)


async def test_what_the_target_rounds_is_copied_rounded_and_compared_so(opened):
    source, target = [await opened(store_of(BackendType.VECTOR_STORE)) for _ in range(2)]
    await source.store.add("a", [0.1, 1.0])
    assert as_kept(source, target) is source
    target.store.guarantees = replace(target.store.guarantees, precision="float16")
    rounded = as_kept(source, target)
    await copied(rounded, target)
    assert (await compare(rounded, target)).equal
    assert (await target.store.get("a"))["vector"] == [float(np.float16(0.1)), 1.0]


@pytest.mark.parametrize(
    ("custom", "operation"), [(DictCheckpointStore, "restore_checkpoints"), (DictGraph, "scan_entities")]
)
async def test_a_target_whose_provider_cannot_do_it_says_so_before_anything_is_written(custom, operation, opened):
    source, target = await opened(store_of(custom.backend_type)), await opened(custom())
    await filled(source.store)
    with pytest.raises(UnsupportedOperationError, match=operation):
        await plan_copy(source, target)


async def test_no_batch_is_larger_than_a_few_megabytes(opened):
    source, target = [await opened(store_of(BackendType.CHECKPOINT_STORE)) for _ in range(2)]
    for number in range(8):
        await source.store.save_checkpoint(f"{number}", {"text": "x" * (_BYTES // 3)})
    sizes = []

    class Measured(StoreContents):
        async def write(self, collection, items):
            sizes.append(len(json.dumps(items)))
            await super().write(collection, items)

    await copied(source, Measured(target.store))
    assert max(sizes) < 2 * _BYTES
    assert (await compare(source, target)).equal


@ALL
async def test_planning_changes_nothing(kind, opened):
    source, target = await opened(store_of(kind)), await opened(store_of(kind))
    await filled(source.store)
    await put(target.store, "another")
    before = await everything(target.store)
    for existing in (Existing.MERGE, Existing.REPLACE):
        assert (await plan_copy(source, target, existing)).to_copy == len(await everything(source.store))
    assert_same(await everything(target.store), before, "the target")


@ALL
async def test_progress_ends_at_the_number_of_items(kind, opened):
    source, target = await opened(store_of(kind)), await opened(store_of(kind))
    count = len(await everything(await filled(source.store, more=500)))
    seen = {}
    plan = await plan_copy(source, target, progress=seen.__setitem__)
    await copy(source, target, plan, seen.__setitem__)
    await compare(source, target, progress=seen.__setitem__)
    assert seen == {"copying": count, "verifying": count}


class Endless:
    """A source that makes its vectors when they are read."""

    backend_type = BackendType.VECTOR_STORE

    def __init__(self, count):
        self.length = count

    async def count(self, collection):
        return self.length

    async def read(self, collection):
        for number in range(self.length):
            yield {"id": f"{number:06}", "vector": [number + place / 7 for place in range(100)], "metadata": {}}


class Forgets(StoreContents):
    """A target that takes everything and keeps nothing."""

    async def write(self, collection, items):
        pass


async def test_memory_is_bounded_by_a_batch_and_not_by_the_store(opened):
    target = Forgets((await opened(store_of(BackendType.VECTOR_STORE))).store)
    peaks = []
    for count in (_ITEMS * 2, _ITEMS * 6):
        source = Endless(count)
        plan = await plan_copy(source, target)
        tracemalloc.start()
        await copy(source, target, plan)
        await compare(source, source)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2
