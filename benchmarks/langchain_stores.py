"""langchain's vector stores: ours over a vector store, and others."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import OURS, Call, Plan, Result, at_most_times, library, race
from benchmarks.postgres import Server
from benchmarks.postgres_data import Packages, packages
from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.providers.postgres.vector_store import PostgresVectorStore

_CHROMA, _PGVECTOR = "langchain-chroma", "langchain-postgres"
_BATCH = 100  # documents that are added, read or deleted at once
_PART = 1_000
_TEXT = (
    "a package of Debian's, described in some three hundred letters, which are about as many as in their lists. " * 3
)


class Known:
    """An embedding that knows every text, so that it costs nothing."""

    def __init__(self, items: Packages) -> None:
        self.texts = [f"{id}: {_TEXT}" for id in items.ids]
        self._vectors: dict[str, list[float]] = dict(zip(self.texts, items.vectors.tolist(), strict=True))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors of texts."""
        return [self._vectors[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a text."""
        return self._vectors[text]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors of texts."""
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of a text."""
        return self.embed_query(text)


class Documents:
    """A vector store of langchain's with all packages in it, called with `await` or without."""

    def __init__(self, store: Any, items: Packages, known: Known, *, is_async: bool = True) -> None:
        self._store, self._async = store, is_async
        self._ids, self._texts = list(items.ids), known.texts
        self._metadata = [{name: each[name] for name in ("arch", "section", "size_kb")} for each in items.documents]

    async def _call(self, name: str, *args: Any, **options: Any) -> Any:
        if self._async:
            return await getattr(self._store, f"a{name}")(*args, **options)
        return getattr(self._store, name)(*args, **options)

    async def _add(self, part: slice) -> None:
        await self._call("add_texts", self._texts[part], self._metadata[part], ids=self._ids[part])

    async def fill(self) -> None:
        """Add everything."""
        for start in range(0, len(self._ids), _PART):
            await self._add(slice(start, start + _PART))

    async def search(self, turn: int) -> None:
        """Find ten that are like one."""
        found = await self._call("similarity_search", self._texts[turn * 7919 % len(self._texts)], k=10)
        assert len(found) == 10

    async def filtered(self, turn: int) -> None:
        """Find ten of one section that are like one."""
        text = self._texts[turn * 7919 % len(self._texts)]
        found = await self._call("similarity_search", text, k=10, filter={"section": "text"})
        assert {each.metadata["section"] for each in found} == {"text"}

    async def read(self, turn: int) -> None:
        """Read a batch by its ids."""
        found = await self._call("get_by_ids", self._ids[self._batch(turn)])
        assert len(found) == _BATCH

    async def replace(self, turn: int) -> None:
        """Delete a batch and add it again."""
        part = self._batch(turn)
        await self._call("delete", self._ids[part])
        await self._add(part)

    def _batch(self, turn: int) -> slice:
        start = turn * _BATCH % (len(self._ids) - _BATCH)
        return slice(start, start + _BATCH)


async def langchain(plan: Plan) -> list[Result]:
    """Vector stores of langchain, on files.

    Packages of Debian, with a text of 300 letters, metadata and 384 numbers that cost nothing. Ours searches exactly,
    Chroma by an index.
    """
    items = packages(plan)
    known = Known(items)
    with TemporaryDirectory(dir=plan.directory) as name:
        async with FileVectorStore({"path": Path(name) / "ours"}) as store:
            return await _measured(
                plan, {OURS: partial(_ours, store), _CHROMA: partial(_chroma, Path(name) / "chroma")}, items, known
            )


async def postgres_langchain(plan: Plan) -> list[Result]:
    """Vector stores of langchain, in PostgreSQL.

    As on files, all without an index.
    """
    items = packages(plan)
    known = Known(items)
    async with Server.started() as server, AsyncExitStack() as stack:
        store = await server.open(PostgresVectorStore, dimension=384)
        return await _measured(
            plan,
            {OURS: partial(_ours, store), _PGVECTOR: partial(_pgvector, server.dsn, stack)},
            items,
            known,
            partial(server.analyze, ["vectors"], []),
        )


Make = Callable[[Packages, Known], Awaitable[Documents]]


async def _ours(store: Any, items: Packages, known: Known) -> Documents:
    make = library("symphony_registry.integrations.langchain").RegistryVectorStore
    return Documents(make(store, known), items, known)


async def _chroma(path: Path, items: Packages, known: Known) -> Documents:
    make = library("langchain_chroma").Chroma
    return Documents(
        make("packages", known, str(path), collection_metadata={"hnsw:space": "cosine"}), items, known, is_async=False
    )


async def _pgvector(dsn: str, stack: AsyncExitStack, items: Packages, known: Known) -> Documents:
    postgres = library("langchain_postgres")
    engine = postgres.PGEngine.from_connection_string(dsn.replace("postgresql://", "postgresql+asyncpg://"))
    stack.push_async_callback(engine.close)
    columns = [
        postgres.Column("arch", "TEXT"),
        postgres.Column("section", "TEXT"),
        postgres.Column("size_kb", "INTEGER"),
    ]
    await engine.ainit_vectorstore_table(
        "packages", 384, metadata_columns=columns, id_column=postgres.Column("id", "TEXT", nullable=False)
    )
    store = await postgres.PGVectorStore.create(
        engine, known, "packages", id_column="id", metadata_columns=["arch", "section", "size_kb"]
    )
    return Documents(store, items, known)


async def _nothing() -> None:
    pass


async def _measured(
    plan: Plan,
    makes: Mapping[str, Make],
    items: Packages,
    known: Known,
    filled: Callable[[], Awaitable[None]] = _nothing,
) -> list[Result]:
    stores: dict[str, Documents | None] = {}
    for name, make in makes.items():
        try:
            stores[name] = await make(items, known)
        except ModuleNotFoundError:
            stores[name] = None
    for store in stores.values():
        if store is not None:
            await store.fill()
    await filled()
    (peer,) = (name for name in makes if name != OURS)
    works: Sequence[tuple[str, str]] = (
        ("ten like one", "search"),
        ("of one section", "filtered"),
        (f"read {_BATCH} by ids", "read"),
        (f"delete {_BATCH} and add them", "replace"),
    )
    results = []
    for work, operation in works:
        calls: dict[str, Call | None] = {
            name: getattr(store, operation) if store else None for name, store in stores.items()
        }
        results.append(Result(work, await race(plan, calls), reaches=[at_most_times(1, peer)]))
    return results
