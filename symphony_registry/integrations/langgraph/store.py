"""langgraph's long-term memory over a checkpoint store, and over a vector store to be searched by meaning."""

import uuid
from collections.abc import Iterable, Mapping, Sequence

from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)

from symphony_registry.backends.checkpoint_store import CheckpointInfo, CheckpointStoreBackend
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.vector_store import VectorStoreBackend
from symphony_registry.errors import InvalidTypeError, InvalidValueError
from symphony_registry.integrations.calling import Calls, Store
from symphony_registry.integrations.langgraph.batching import Batches
from symphony_registry.integrations.langgraph.embedding import Vector
from symphony_registry.integrations.langgraph.expiry import Expiry, checked_config, ensure_minutes
from symphony_registry.integrations.langgraph.index import VectorIndex
from symphony_registry.integrations.langgraph.items import (
    Record,
    as_item,
    as_search_item,
    expiry,
    is_alive,
    item_id,
    namespace_prefix,
    past_namespace,
    record_of,
    timestamp,
)
from symphony_registry.integrations.langgraph.matching import (
    fixed_prefix,
    has_shape,
    is_below,
    matches,
    metadata_filter,
)

_PAGE = 100
_AWAITED = {GetOp: "aget", SearchOp: "asearch", PutOp: "aput", ListNamespacesOp: "alist_namespaces"}


class RegistryStore(BaseStore):
    """langgraph's store over a checkpoint store.

    `index` and `ttl` are langgraph's own configurations; `index` needs `vectors`, a vector store.
    """

    supports_ttl = True

    def __init__(
        self,
        store: Store[CheckpointStoreBackend],
        vectors: Store[VectorStoreBackend] | None = None,
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
    ) -> None:
        if (vectors is None) != (index is None):
            raise InvalidValueError(
                "A search by meaning needs both `vectors`, a vector store, and `index`, which has the embedding: "
                'RegistryStore(store, vectors, index={"embed": ..., "dims": ...}).'
            )
        self._calls = Calls(store, BackendType.CHECKPOINT_STORE)
        self._items = self._calls.backend
        self._index = (
            VectorIndex(self._items, Calls(vectors, BackendType.VECTOR_STORE).backend, index)
            if vectors and index
            else None
        )
        self._batches = Batches(self._run)
        self.ttl_config = checked_config(ttl)
        self._expiry = Expiry(self._items, self._index)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations at once: first those that read, then the puts, of which the last of a key counts."""
        return await self._calls.awaited(self._add, _checked(ops))

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations as `abatch` does."""
        checked = _checked(ops)
        instead = _AWAITED[type(checked[0])] if len(checked) == 1 else "abatch"
        return self._calls.waited(instead, self._add, checked)

    async def asweep_ttl(self) -> int:
        """Delete what has expired; return how many items that were."""
        return await self._calls.awaited(self._expiry.sweep)

    def sweep_ttl(self) -> int:
        """Delete what has expired; return how many items that were."""
        return self._calls.waited("asweep_ttl", self._expiry.sweep)

    async def astart_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:
        """Sweep every `sweep_interval_minutes`, or as `ttl` says (else every 5), until `astop_ttl_sweeper`."""
        await self._calls.awaited(self._expiry.start, self._interval(sweep_interval_minutes))

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:
        """Sweep as `astart_ttl_sweeper` does."""
        self._calls.waited("astart_ttl_sweeper", self._expiry.start, self._interval(sweep_interval_minutes))

    async def astop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Sweep no more; say whether a sweep that is under way ended within `timeout` seconds."""
        return await self._calls.awaited(self._expiry.stop, timeout)

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stop as `astop_ttl_sweeper` does."""
        return self._calls.waited("astop_ttl_sweeper", self._expiry.stop, timeout)

    def _interval(self, minutes: float | None) -> float:
        ensure_minutes("sweep_interval_minutes", minutes)
        return minutes or (self.ttl_config or {}).get("sweep_interval_minutes") or 5

    async def _add(self, ops: list[Op]) -> list[Result]:
        # Before they are in a batch: nobody waits for what another embeds.
        vectors = await self._index.embedded(ops) if self._index else [[] for _ in ops]
        return await self._batches.add(list(zip(ops, vectors, strict=True)))

    async def _run(self, ops: Sequence[tuple[Op, list[Vector]]]) -> list[Result]:
        results: dict[int, Result] = {}
        gets = {place: op for place, (op, _) in enumerate(ops) if isinstance(op, GetOp)}
        results.update(zip(gets, await self._get(list(gets.values())), strict=True))
        for place, (op, vectors) in enumerate(ops):
            if isinstance(op, SearchOp):
                results[place] = await self._search(op, vectors)
            elif isinstance(op, ListNamespacesOp):
                results[place] = await self._list_namespaces(op)
        await self._put({item_id(op.namespace, op.key): (op, own) for op, own in ops if isinstance(op, PutOp)})
        return [results.get(place) for place in range(len(ops))]

    async def _get(self, ops: Sequence[GetOp]) -> list[Result]:
        if not ops:
            return []
        found = await self._items.get_checkpoints([item_id(op.namespace, op.key) for op in ops])
        alive = [info if info and is_alive(record_of(info)) else None for info in found]
        await self._expiry.refresh(info for info, op in zip(alive, ops, strict=True) if info and op.refresh_ttl)
        return [as_item(record_of(info)) if info else None for info in alive]

    async def _search(self, op: SearchOp, query: list[Vector]) -> list[SearchItem]:
        wanted = op.offset + op.limit
        found: list[tuple[CheckpointInfo, float | None]] = []
        if self._index and query and wanted > 0:
            found += await self._index.search(op, query[0])
            # As langgraph's own do: those without a text that could be found come last.
            rest = await self._found(op, wanted - len(found), {"vectors": 0})
        else:
            rest = await self._found(op, wanted)
        found += [(info, None) for info in rest]
        page = found[op.offset : wanted]
        if op.refresh_ttl:
            await self._expiry.refresh(info for info, _ in page)
        return [as_search_item(record_of(info), score) for info, score in page]

    async def _found(self, op: SearchOp, wanted: int, *more: dict[str, object]) -> list[CheckpointInfo]:
        """Return the first `wanted` items in and below a namespace that a filter finds, by id."""
        found: list[CheckpointInfo] = []
        after, limit = None, wanted
        while len(found) < wanted:
            page = await self._items.find_checkpoints(
                prefix=namespace_prefix(op.namespace_prefix),
                after=after,
                metadata_filter=metadata_filter(op.filter, *more),
                limit=limit,
            )
            found += [info for info in page if _is_found(record_of(info), op)]
            if len(page) < limit:
                break
            after, limit = page[-1]["checkpoint_id"], limit * 2  # of which some had expired
        return found[:wanted]

    async def _list_namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        conditions = op.match_conditions or ()
        prefix, after = namespace_prefix(fixed_prefix(conditions)), None
        found: set[tuple[str, ...]] = set()
        while page := await self._items.find_checkpoints(prefix=prefix, after=after, limit=_PAGE):
            records = [record_of(info) for info in page]
            found.update(
                tuple(record["namespace"])[: op.max_depth]
                for record in records
                if is_alive(record) and matches(tuple(record["namespace"]), conditions)
            )
            after = max(page[-1]["checkpoint_id"], _past_known(records[-1], op))
        return sorted(found)[op.offset : op.offset + op.limit]

    async def _put(self, puts: Mapping[str, tuple[PutOp, list[Vector]]]) -> None:
        if not puts:
            return
        checkpoints = await self._items.get_checkpoints(list(puts))
        replaced = {id: record_of(each) for id, each in zip(puts, checkpoints, strict=True) if each}
        records = {
            id: _record(op, replaced.get(id), len(vectors))
            for id, (op, vectors) in puts.items()
            if op.value is not None
        }
        if self._index:
            await self._index.add((record, puts[id][1]) for id, record in records.items())
        if records:
            await self._items.save_checkpoints((id, {}, dict(record)) for id, record in records.items())
        if gone := [id for id in replaced if id not in records]:
            await self._items.delete_checkpoints(gone)
        if self._index:
            await self._index.remove(replaced.values())


def _checked(ops: Iterable[Op]) -> list[Op]:
    checked = list(ops)
    for op in checked:
        if type(op) not in _AWAITED:
            raise InvalidTypeError(f"{op!r} is no operation of a langgraph store.")
        validate_op_namespace(op)
        if isinstance(op, PutOp):
            ensure_minutes("ttl", op.ttl)
        given: object = op.filter if isinstance(op, SearchOp) else None
        if not isinstance(given, Mapping | None):
            raise InvalidTypeError(
                f"A filter is a dict, not a {type(given).__name__}: "
                '{"colour": "dark"}, or {"since": {"$gte": 2022}}.'
            )
    return checked


def _is_found(record: Record, op: SearchOp) -> bool:
    return (
        is_alive(record)
        and has_shape(record["value"], op.filter)
        and is_below(record["namespace"], op.namespace_prefix)
    )


def _past_known(record: Record, op: ListNamespacesOp) -> str:
    """Return a bound before which, from an item on, there is no namespace that is not listed with it."""
    namespace = tuple(record["namespace"])
    if not is_alive(record):
        return ""
    if matches(namespace, op.match_conditions or ()):
        return past_namespace(namespace[: op.max_depth], below=len(namespace) > len(namespace[: op.max_depth]))
    return past_namespace(namespace, below=False)


def _record(op: PutOp, replaced: Record | None, vectors: int) -> Record:
    time = timestamp()
    return {
        "namespace": list(op.namespace),
        "key": op.key,
        "value": dict(op.value or {}),
        "created_at": replaced["created_at"] if replaced and is_alive(replaced) else time,
        "updated_at": time,
        "ttl": op.ttl,
        "expires_at": expiry(op.ttl),
        "revision": uuid.uuid4().hex,
        "vectors": vectors,
    }
