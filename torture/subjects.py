"""The three backend types under torture: a script of writes for each, and all that it holds.

The content of a store is a dictionary. What a write does to it is its effect: the
keys that it changes, `None` where it removes one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from unittest.mock import patch

from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.backends.knowledge_graph import FileKnowledgeGraph
from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.providers.embedded import log
from symphony_registry.providers.embedded.journal import segment
from symphony_registry.providers.embedded.vectors import approximate, codec

Content: TypeAlias = dict[tuple[str, ...], Any]
Effect: TypeAlias = dict[tuple[str, ...], Any]


class Operation(NamedTuple):
    """One call; of several at once, each changes only keys that hold its `id`."""

    id: str
    call: Callable[[Any], Awaitable[object]]


Step: TypeAlias = tuple[Operation, ...]


class Subject(NamedTuple):
    """A backend type, with steps that are made one after the other, and writes of any id, large or not."""

    name: str
    make: Callable[[Path], Any]
    read: Callable[[Any], Awaitable[Content]]
    script: tuple[Step, ...]
    write: Callable[[Any, str, int], Awaitable[object]]
    remove: Callable[[Any, str], Awaitable[object]]


async def reopen(store: Any) -> None:
    """Close a store and open it again."""
    await store.disconnect()
    await store.connect()


async def at_rest(store: Any) -> None:
    """Wait until nothing is written, compaction included, so that the files can be copied as a kill leaves them."""
    await store._data.at_rest()


def one(call: Callable[[Any], Awaitable[object]]) -> Step:
    """Return a step of one operation."""
    return (Operation("", call),)


async def _with_id(call: Callable[[Any, str], Awaitable[object]], id: str, store: Any) -> None:
    await call(store, id)


def at_once(prefix: str, call: Callable[[Any, str], Awaitable[object]]) -> Step:
    """Return a step of several tasks, each with an id of its own."""
    return tuple(Operation(id, partial(_with_id, call, id)) for id in (f"{prefix}{number}" for number in range(6)))


def vector(number: int) -> list[float]:
    """Return a vector that is told from others."""
    return [1.0, float(number), *(number / 7 + place for place in range(14))]


async def read_vectors(store: FileVectorStore) -> Content:
    """Return everything in a vector store."""
    content: Content = {("vector", item["id"]): (item["vector"], item["metadata"]) async for item in store.scan()}
    dimension = await store.dimension()
    await at_rest(store)  # until there is an index
    found = {result["id"] for result in await store.search(vector(0), len(content) or 1)}
    if found != {id for _, id in content}:
        raise AssertionError(f"a search for everything finds {sorted(found)}")
    return content if dimension is None else {**content, ("dimension",): dimension}


async def read_graph(graph: FileKnowledgeGraph) -> Content:
    """Return everything in a knowledge graph."""
    entities: Content = {("entity", entity["id"]): entity async for entity in graph.scan_entities()}
    relations = [relation async for relation in graph.scan_relations()]
    return {**entities, **{("relation", each["from_id"], each["to_id"], each["type"]): each for each in relations}}


async def read_checkpoints(store: FileCheckpointStore) -> Content:
    """Return everything in a checkpoint store, the order and the times included."""
    saved: list[Any] = [checkpoint async for checkpoint in store.scan()]
    versions = [each.pop("version") for each in saved]
    if versions != sorted(set(versions)):
        raise AssertionError(f"the versions {versions} do not grow in the order saved")
    times: Content = {("time", each["checkpoint_id"]): each["metadata"].pop("timestamp") for each in saved}
    return {**{("checkpoint", each["checkpoint_id"]): each for each in saved}, **times}


def _vector_script() -> Iterator[Step]:
    yield one(lambda store: store.add("a", vector(0)))
    yield one(lambda store: store.add("b", vector(1), {"lang": "é", "n": [1, 2.0, None]}))
    yield at_once("task", lambda store, id: store.add(id, vector(2), {"id": id}))
    yield one(lambda store: store.add_many([(f"bulk{n}", vector(n), {"n": n}) for n in range(8)]))
    yield one(lambda store: store.delete("b"))
    yield one(reopen)
    for number in range(8):  # and compaction
        items = [(f"bulk{part}", vector(number), {"n": number}) for part in range(6)]
        yield one(methodcaller("add_many", items))
    yield at_once("again", lambda store, id: store.add(id, vector(3)))
    yield one(lambda store: store.delete_many(["bulk6", "bulk7", "nobody"]))
    yield at_once("again", lambda store, id: store.update(id, {"n": 1}))
    yield one(reopen)
    yield one(lambda store: store.delete_many(prefix="task"))
    yield one(lambda store: store.add("z", vector(4)))


def _graph_script() -> Iterator[Step]:
    yield one(lambda graph: graph.add_entity("a", "P", {"name": "A"}))
    yield one(lambda graph: graph.add_entity("hub", "P"))
    yield at_once("task", lambda graph, id: graph.add_entity(id, "Q", {"id": id}))
    yield one(lambda graph: graph.add_relations([("hub", f"task{n}", "r", {"n": n}) for n in range(6)]))
    yield at_once("task", lambda graph, id: graph.add_relation(id, id, "self"))
    yield one(reopen)
    for number in range(8):  # and compaction
        relations = [("hub", f"task{n}", "r", {"n": number, "text": "x" * 50}) for n in range(6)]
        yield one(methodcaller("add_relations", relations))
    yield one(lambda graph: graph.update_entity("a", {"name": "B"}))
    yield one(lambda graph: graph.delete_entity("task3"))
    yield one(lambda graph: graph.add_entities([(f"bulk{n}", "P", {"n": n}) for n in range(8)]))
    yield one(lambda graph: graph.add_entities([("bulk0", "Q", None), ("new", "Q", {"n": 0})], if_absent=True))
    yield one(lambda graph: graph.add_relations([(f"bulk{n}", f"bulk{(n + 1) % 8}", "next", None) for n in range(8)]))
    yield one(lambda graph: graph.delete_entities(["bulk1", "nobody", "task0"]))
    yield one(lambda graph: graph.delete_entities(prefix="bulk", entity_type="P", after="bulk4"))
    yield one(reopen)
    yield one(lambda graph: graph.delete_relations([("hub", "task1", "r"), ("hub", "nobody", "r")]))
    yield one(lambda graph: graph.delete_relations(relation_types=["next", "self"]))
    yield one(lambda graph: graph.delete_entity("hub"))


def _checkpoint_script() -> Iterator[Step]:
    yield one(lambda store: store.save_checkpoint("a", {"step": 1, "text": "x" * 300}))
    yield one(lambda store: store.save_checkpoint("b", {"step": 2}, {"tag": "\0é"}))
    yield at_once("task", lambda store, id: store.save_checkpoint(id, {"id": id}))
    yield one(lambda store: store.save_checkpoint("large", {"text": ["y" * 100] * 20}))
    yield one(lambda store: store.delete_checkpoint("b"))
    yield one(lambda store: store.save_checkpoint("bytes", {}, payload=bytes(range(256)) * 8))
    yield one(lambda store: store.save_checkpoints([(f"t1/{n}", {"n": n}, None, b"\xff" * 300 * n) for n in range(4)]))
    yield one(reopen)
    for number in range(20):  # and compaction
        yield one(methodcaller("save_checkpoint", "a", {"step": number}, {"n": number}))
    yield at_once("again", lambda store, id: store.save_checkpoint(id, {"id": id}))
    yield one(lambda store: store.save_checkpoints([("t1/3", {}, None), ("t2/0", {}, None)], if_absent=True))
    yield one(lambda store: store.delete_checkpoints(prefix="t1/", after="t1/0"))
    yield one(lambda store: store.prune(8))
    yield one(reopen)
    yield one(lambda store: store.save_checkpoint("z", {}))


SUBJECTS = (
    Subject(
        "vector_store",
        lambda path: FileVectorStore({"path": path, "index": "hnsw"}),
        read_vectors,
        tuple(_vector_script()),
        lambda store, id, size: store.add(id, vector(9), {"text": "x" * size}),
        lambda store, id: store.delete(id),
    ),
    Subject(
        "knowledge_graph",
        lambda path: FileKnowledgeGraph({"path": path}),
        read_graph,
        tuple(_graph_script()),
        lambda graph, id, size: graph.add_entity(id, "P", {"text": "x" * size}),
        lambda graph, id: graph.delete_entity(id),
    ),
    Subject(
        "checkpoint_store",
        lambda path: FileCheckpointStore({"path": path}),
        read_checkpoints,
        tuple(_checkpoint_script()),
        lambda store, id, size: store.save_checkpoint(id, {"text": "x" * size}),
        lambda store, id: store.delete_checkpoint(id),
    ),
)


@contextmanager
def on_small_data() -> Iterator[None]:
    """Do with little data what is done with much: compact, write snapshots, and search by an index."""
    few = patch.multiple(approximate, _FEWEST=1, _SHARE=1)
    with patch.object(log, "_MANY_LINES", 2), patch.object(codec, "_LARGE", 0), few:
        yield


@contextmanager
def little_padding() -> Iterator[None]:
    """Pad a journal so little that the larger writes are too large for it."""
    with patch.object(segment, "_MOST_PADDING", 2000), patch.object(segment, "_LEAST_PADDING", 1000):
        yield


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect what the package logs instead of showing it."""
    logger = logging.getLogger("symphony_registry")
    messages = _Messages()
    logger.addHandler(messages)
    try:
        with patch.object(logger, "propagate", new=False):
            yield messages.texts
    finally:
        logger.removeHandler(messages)


def timeless(content: Content) -> Content:
    """Return a content without what depends on the clock."""
    return {key: value for key, value in content.items() if key[0] != "time"}


def effects(step: Step, before: Content, after: Content) -> list[Effect]:
    """Return what each operation of a step did."""
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key) or key not in after]
    moved = [key for key in after if key[0] == "time" and key in changed]  # saved again: the last now
    changed += [("checkpoint", key[1]) for key in moved if ("checkpoint", key[1]) not in changed]
    return [{key: after.get(key) for key in changed if len(step) == 1 or operation.id in key} for operation in step]


def applied(content: Content, effect: Effect) -> Content:
    """Return a content after one more effect; what is written stands last, as a checkpoint does."""
    result = {key: value for key, value in content.items() if key not in effect}
    return {**result, **{key: value for key, value in effect.items() if value is not None}}


def explain(before: Content, steps: Sequence[Effect], acknowledged: Collection[int], found: Content) -> None:
    """Raise `AssertionError` unless `found` is `before` with all acknowledged and any other of `steps`, each whole."""
    expected = before
    for index, effect in enumerate(steps):
        if index in acknowledged or (effect and all(found.get(key) == value for key, value in effect.items())):
            expected = applied(expected, effect)
    assert_same(found, expected)


def assert_same(found: Content, expected: Content) -> None:
    """Raise `AssertionError` that shows where two contents differ, in the order of checkpoints too."""
    missing = {key: value for key, value in expected.items() if found.get(key) != value}
    extra = {key: value for key, value in found.items() if expected.get(key) != value}
    if missing or extra:
        raise AssertionError(f"expected {missing!r:.500}, found {extra!r:.500}")
    order = [[key for key in content if key[0] == "checkpoint"] for content in (found, expected)]
    if order[0] != order[1]:
        raise AssertionError(f"expected the order {order[1]!r:.500}, found {order[0]!r:.500}")


async def read_and_write(subject: Subject, directory: Path) -> Content:
    """Open a store, see that one more write works and stays, and return what was there before."""
    store = subject.make(directory)
    try:
        await store.connect()
        found = await subject.read(store)
        await subject.write(store, "one more", 600)
        after = await subject.read(store)
        if not any("one more" in key for key in after):
            raise AssertionError("a write to the recovered store did nothing")
        assert_same({key: value for key, value in after.items() if key in found}, found)
        await reopen(store)
        assert_same(await subject.read(store), after)
    finally:
        await store.disconnect()
    return found


async def gathered(store: Any, step: Step, done: Callable[[int], None] = lambda _: None) -> list[BaseException | None]:
    """Make the operations of a step at once; `done` is told of each that was acknowledged."""

    async def run(index: int, operation: Operation) -> None:
        await operation.call(store)
        done(index)

    return list(await asyncio.gather(*(run(*each) for each in enumerate(step)), return_exceptions=True))
