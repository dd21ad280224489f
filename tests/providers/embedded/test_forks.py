"""A process that forks while stores are open: a child uses nothing of its parent's, and says so or opens anew."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from tests.helpers.forking import ended, run


async def saved(path: Path) -> list[str]:
    async with FileCheckpointStore({"path": path}) as store:
        return [info["checkpoint_id"] for info in await store.list_checkpoints()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


AFTER_A_LOOP = """
asyncio.run(save("parent"))
said = [in_child(lambda: asyncio.run(save("child"))), in_child(lambda: asyncio.run(store.save_checkpoint("child", {})))]
asyncio.run(save("parent again"))
print(json.dumps(said))
"""
IN_A_PAUSED_LOOP = """
async def main():
    await save("parent")
    said = [in_child(lambda: asyncio.run(save("child"))), in_child(lambda: asyncio.run(store.connect()))]
    await save("parent again")
    return said
print(json.dumps(asyncio.run(main())))
"""
IN_A_WRITE = """
async def main():
    await save("parent")
    writing = [asyncio.create_task(store.save_checkpoint(f"{n}", {"text": "x" * 100_000})) for n in range(50)]
    said = []
    while not all(task.done() for task in writing):
        await asyncio.sleep(0)
        if len(said) < 20:
            said.append(in_child(lambda: asyncio.run(save("child"))))
    await asyncio.gather(*writing, save("parent again"))
    return said
print(json.dumps(asyncio.run(main())))
"""
WHILE_OPENING = """
async def main():
    opening = asyncio.create_task(registry.open())
    said = []
    while not opening.done():
        await asyncio.sleep(0)
        said.append(in_child(lambda: asyncio.run(save("child"))))
    await opening
    await save("parent", "parent again")
    return said
print(json.dumps(asyncio.run(main())))
"""


@pytest.mark.parametrize("script", [AFTER_A_LOOP, IN_A_PAUSED_LOOP, IN_A_WRITE])
def test_a_child_hears_that_the_parent_has_it_and_the_parent_goes_on(path: Path, script: str) -> None:
    said = run(script, "file", path=str(path))
    assert said
    for each in said:
        assert each.startswith("BackendNotOpenError") or ("StorageLockedError" in each and str(path) in each)
        assert "Close it there" not in each
    found = asyncio.run(saved(path))
    assert {"parent", "parent again"} <= {*found}
    assert "child" not in found


def test_a_child_that_is_forked_while_the_parent_opens_loses_nothing(path: Path) -> None:
    said = run(WHILE_OPENING, "file", path=str(path))
    found = asyncio.run(saved(path))
    assert {"parent", "parent again"} <= {*found}
    assert ("child" in found) is (None in said)


def test_a_child_opens_anew_once_the_parent_has_closed(path: Path) -> None:
    script = """
    asyncio.run(save("parent"))
    go, ready = os.pipe()
    def work():
        os.close(ready)
        os.read(go, 1)
        asyncio.run(save("child"))
        return asyncio.run(ids())
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, json.dumps(work()).encode())
        os._exit(0)
    asyncio.run(registry.close())
    os.close(ready)
    os.close(writing)
    print(os.fdopen(reading).read())
    os.waitpid(child, 0)
    """
    assert run(script, "file", path=str(path)) == ["parent", "child"]
    assert asyncio.run(saved(path)) == ["parent", "child"]


def test_a_store_that_only_the_parent_closes_is_free_while_the_child_lives(path: Path) -> None:
    script = """
    import signal
    asyncio.run(save("parent"))
    child = os.fork()
    if not child:
        os.close(1), os.close(2)
        signal.pause()
    asyncio.run(registry.close())
    asyncio.run(save("parent again"))
    print(json.dumps(asyncio.run(ids())))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    """
    assert run(script, "file", path=str(path)) == ["parent", "parent again"]


def test_a_child_of_memory_goes_on_with_a_copy_of_its_own() -> None:
    script = """
    asyncio.run(save("parent"))
    def work():
        asyncio.run(save("child"))
        return asyncio.run(ids())
    print(json.dumps([in_child(work), asyncio.run(ids())]))
    """
    assert run(script, "memory") == [["parent", "child"], ["parent"]]


@pytest.mark.parametrize(
    ("module", "owner", "method"),
    [
        ("vectors.principal", "PrincipalHead", "_refresh"),
        ("vectors.columns", "_Column", "renumber"),
        ("vectors.columns", "_Order", "_order"),
    ],
)
def test_a_child_of_memory_does_not_wait_for_a_search_of_its_parents(module: str, owner: str, method: str) -> None:
    script = f"""
    import signal
    import numpy as np
    from symphony_registry.backends.vector_store import InMemoryVectorStore
    from symphony_registry.providers.embedded.vectors import bounds
    from symphony_registry.providers.embedded.{module} import {owner}

    bounds._PATIENCE = 0
    vectors = np.random.default_rng(3).normal(size=(2, 64)).repeat(20_000, 0).astype(np.float32)
    real, begun, may_end = {owner}.{method}, threading.Event(), threading.Event()
    def pausing(*given):
        begun.set()
        may_end.wait(30)
        return real(*given)
    {owner}.{method} = pausing
    store = InMemoryVectorStore()
    async def search():
        await store.connect()
        found = await store.search(vectors[0], 2, {{"n": {{"$gte": 1}}}})
        return [result["id"] for result in found]
    def work():
        signal.alarm(30)
        may_end.set()
        return asyncio.run(search())
    async def main():
        await store.connect()
        await store.add_many([(f"{{row:05}}", vector, {{"n": row}}) for row, vector in enumerate(vectors)])
        searching = asyncio.create_task(search())
        await asyncio.to_thread(begun.wait)
        said = in_child(work)
        may_end.set()
        return [said, await searching]
    print(json.dumps(asyncio.run(main())))
    """
    assert run(script, "memory") == [["00001", "00002"]] * 2


def test_a_child_of_memory_does_not_wait_for_a_count_of_its_parents() -> None:
    script = """
    import signal
    async def count():
        await registry.open()
        return await store.count(after="a")
    def work():
        signal.alarm(30)
        return asyncio.run(count())
    asyncio.run(save("a", "b"))
    with store._data.state._ids._counting:
        said = in_child(work)
    print(json.dumps(said))
    """
    assert run(script, "memory") == 1


def test_a_child_that_is_forked_in_the_middle_of_a_change_to_memory_begins_empty_and_says_so() -> None:
    script = """
    from symphony_registry.providers.embedded.checkpoints.sequence import CheckpointSequence

    asyncio.run(save("parent"))
    apply, said = CheckpointSequence.apply, []
    def forking(state, change):
        CheckpointSequence.apply = apply
        apply(state, change)
        worker = threading.Thread(target=lambda: said.append(in_child(lambda: asyncio.run(ids()))))
        worker.start()
        worker.join()
    CheckpointSequence.apply = forking
    asyncio.run(save("parent again"))
    print(json.dumps([said, asyncio.run(ids())]))
    """
    done = ended(script, "memory")
    assert json.loads(done.stdout) == [[[]], ["parent", "parent again"]]
    assert "was being changed when this process was forked: it begins empty here" in done.stderr


def test_a_signal_handler_may_fork_while_its_thread_opens_a_store() -> None:
    script = """
    import signal
    from symphony_registry.backends.forking import no_fork

    said = []
    signal.signal(signal.SIGUSR1, lambda *_: said.append(in_child(lambda: asyncio.run(ids()))))
    with no_fork:
        signal.raise_signal(signal.SIGUSR1)
    print(json.dumps(said))
    """
    assert run(script, "memory") == [[]]


def test_an_abandoned_store_leaves_no_descriptor_open_in_the_child(path: Path) -> None:
    script = """
    count = lambda: len(os.listdir("/dev/fd"))
    before = count()
    asyncio.run(save("parent"))
    print(json.dumps([before, in_child(count)]))
    """
    before, after = run(script, "file", path=str(path))
    assert after == before + 2  # the pipe to the parent


def test_children_that_are_forked_at_any_moment_do_not_keep_the_store_of_a_dead_parent(path: Path) -> None:
    script = """
    import signal
    def use():
        while True:
            for n in range(30):
                asyncio.run(save("x"))
                asyncio.run(asyncio.to_thread(store._data._log.journal.rewrite, store._data.state.changes()))
            asyncio.run(registry.close())
    threading.Thread(target=use, daemon=True).start()
    children = []
    for _ in range(50):
        child = os.fork()
        if not child:
            os.closerange(1, 3)
            signal.pause()
        children.append(child)
    print(json.dumps(children), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    children = json.loads(ended(script, "file", path=str(path)).stdout)
    try:
        assert asyncio.run(saved(path)) in ([], ["x"])
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
