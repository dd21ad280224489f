"""The keys of one store, and scripts over them: every operation is one script."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote
from uuid import uuid4

from typing_extensions import override

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import ITEM
from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.parts import PartLimit, Parts
from symphony_registry.backends.remote.resource import RemoteResource
from symphony_registry.backends.selection import Range
from symphony_registry.backends.storage import StorageBackend
from symphony_registry.errors import BackendSetupError, InvalidValueError
from symphony_registry.providers.redis.connections import Argument, Connection, Pool
from symphony_registry.providers.redis.driver import RedisDriver, facts
from symphony_registry.providers.redis.failures import ERRORS, NO_AOF_ADVICE
from symphony_registry.providers.redis.options import RedisOptions
from symphony_registry.providers.redis.scripts import script

T = TypeVar("T")

GUARANTEES = Guarantees(
    survives="power loss",
    atomic_bulk=True,
    lists_entities=True,
    restores_timestamps=True,
    saves_several=True,
    shared=True,
)
_DELETED = PartLimit(500_000, 200_000_000)  # what a deletion sends at once: what is staged needs memory
_SPARE = 4  # times the limit: so many are read where a filter leaves out some
_ATTEMPTS = 100  # to delete all that was seen, or nothing
_OLDEST = (7, 2)  # which has WAITAOF
_STAGED_SECONDS = 3_600  # that a part of a large write is kept, if the rest never comes
_UNSTAGING_SECONDS = 1
_LARGEST = 512 * 1024 * 1024  # bytes of a value


class Layout(NamedTuple):
    """What keys a type of store has: each part of it, and the type of its value."""

    kind: str
    parts: dict[str, str]
    version: int = 1


def promised(options: RedisOptions) -> Guarantees:
    """Return what a store promises with these options."""
    return GUARANTEES if options.durability != "none" else replace(GUARANTEES, survives="crash")


class Keyspace(RemoteResource[Pool, Connection]):
    """The way to a backend's keys."""

    def __init__(self, owner: StorageBackend, options: RedisOptions, layout: Layout) -> None:
        super().__init__(owner, RedisDriver(options, ""))
        self.options = options
        self._layout = layout
        self._script = script(layout.kind)
        self.keys: list[str] = []

    @override
    async def open(self) -> None:
        # only now: a backend is given its name after it was made
        self._driver = RedisDriver(self.options, self.tag)
        self.keys = [self.key(part) for part in ("layout", *self._layout.parts)]
        await super().open()

    @property
    def tag(self) -> str:
        """The hash tag of all keys, which so have one slot of a cluster."""
        return f"{self.options.prefix}:{self._layout.kind}:{quote(self.owner.name)}"

    def key(self, part: str) -> str:
        """Return the name of a key."""
        return f"{{{self.tag}}}:{part}"

    @override
    async def prepare(self, connection: Connection) -> None:
        told = facts(await connection.command("INFO", "server", "persistence", "memory", "replication"))
        self._check_server(told)
        kind, version = self._layout.kind, self._layout.version
        commands, create = " ".join(self._script.commands), "1" if self.options.create else ""
        arguments: list[Argument] = ["prepare", kind, version, create, commands, *self._layout.parts.values()]
        state = await connection.run(self._script, self.keys, arguments, writes=False)
        await connection.settle()
        self._check_layout(*(each.decode() for each in state))

    def _check_server(self, told: dict[str, str]) -> None:
        """Raise where the server cannot give what was asked."""
        server = self.options.server
        version = tuple(int(number) for number in told.get("redis_version", "0.0").split(".")[:2])
        if version < _OLDEST:
            raise BackendSetupError(
                f"{server} is of version {told.get('redis_version')}; the oldest that works is 7.2.", options=("url",)
            )
        policy = told.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise BackendSetupError(
                f"{server} may throw away what is stored: its maxmemory-policy is {policy}. Set it to noeviction, or "
                "use a server that is no cache.",
                options=("url",),
            )
        if self.options.durability == "none":
            return
        if told.get("aof_enabled") == "0":
            raise BackendSetupError(
                f"{server} keeps no append-only file, so that no write survives its end. {NO_AOF_ADVICE}",
                options=("durability", "url"),
            )
        connected = int(told.get("connected_slaves", "0"))
        if connected < self.options.replicas:
            raise BackendSetupError(
                f"{server} has {connected} replicas connected, where durability asks for {self.options.replicas}. "
                "Connect more, or ask for fewer.",
                options=("durability", "url"),
            )

    def _check_layout(self, state: str, *details: str) -> None:
        """Raise where the keys under our names are not ours, or are of another version."""
        server, layout = self.options.server, self._layout
        match state, details:
            case "wrong", (key, kind):
                said = f"the key {key} holds a {kind}, which is not ours. Choose another prefix, or remove it"
            case "foreign", _:
                said = f"there are keys under {self.key('')} without the layout that says whose. Choose another prefix"
            case "missing", _:
                said = (
                    f"there is no store under {self.key('')}, and create is false. Open it once with create: true, "
                    "or correct the prefix or the backend's name"
                )
            case "unknown", (command,):
                said = (
                    f"it has no {command}, and vectors need the query engine. Install Redis 8 or Redis Stack, which "
                    "have it; Valkey and the Redis of many distributions have not"
                )
            case "denied", (command,):
                said = (
                    f"the user may not call {command} with {self.keys[0]}. Grant what the page on Redis lists; who "
                    "only reads opens with create: false"
                )
            case "found", (kind, version) if (kind, version) != (layout.kind, str(layout.version)):
                said = (
                    f"the store under {self.key('')} is a {kind} of version {version}; this release knows "
                    f"version {layout.version}. Upgrade symphony-registry here, too"
                )
            case _:
                return
        raise BackendSetupError(f"{server}: {said}.", options=("prefix", "url"))

    @override
    async def probe(self, connection: Connection) -> bool:
        await connection.settle()
        found: list[bytes] = await connection.command("HMGET", self.keys[0], "kind", "version")
        return found == [self._layout.kind.encode(), str(self._layout.version).encode()]

    @override
    async def version(self) -> str:
        told = facts(await self.read(lambda connection: connection.command("INFO", "server")))
        if "valkey_version" in told:
            return f"Valkey {told['valkey_version']}"
        return f"Redis {told['redis_version']}"

    async def ask(self, name: str, *arguments: Argument) -> Any:
        """Return what a script answers that changes nothing."""
        return await self.read(
            lambda connection: connection.run(self._script, self.keys, [name, *arguments], writes=False)
        )

    async def change(self, operation: str, name: str, *arguments: Argument, conditional: bool = False) -> Any:
        """Return what a script answers that does an operation's work."""
        return await self.run(
            operation,
            lambda connection: connection.run(self._script, self.keys, [name, *arguments], writes=True),
            conditional=conditional,
        )

    async def change_parts(
        self, operation: str, name: str, parts: Parts[list[Argument]], *, conditional: bool = False
    ) -> Any:
        """Do an operation's work with all parts at once: several are staged on the server first."""
        if len(parts) == 1:
            whole = await parts.whole()
            return await self.change(operation, name, "", *whole, conditional=conditional)

        async def work(connection: Connection) -> Any:
            keys = [*self.keys, self.key(f"staged:{uuid4().hex}")]

            async def stage(part: list[Argument]) -> int:
                await connection.run(self._script, keys, ["stage", _STAGED_SECONDS, *part], writes=False)
                return len(part)

            try:
                count = await parts.send(stage)
                return await connection.run(self._script, keys, [name, count], writes=True)
            finally:
                with suppress(*ERRORS):  # what became of the work is said already, and the server forgets it by itself
                    async with asyncio.timeout(_UNSTAGING_SECONDS):
                        await connection.command("UNLINK", keys[-1])

        return await self.run(operation, work, conditional=conditional)

    async def delete(self, operation: str, name: str, keys: Sequence[tuple[Argument, ...]]) -> int:
        """Delete what some keys name, at once; return how many were there."""
        parts = await here_or_in_thread(lambda: list(map(_flat, _DELETED.split(keys, _size))), len(keys) * ITEM)
        return int(await self.change_parts(operation, name, Parts.of(parts)))

    async def delete_seen(self, operation: str, read: Callable[[], Awaitable[list[tuple[Argument, Argument]]]]) -> int:
        """Delete what was read, all or nothing, and read again where something has changed meanwhile.

        What is read are ids and what was seen of each. Where it changes all the
        time, what has not changed is deleted in the end.
        """
        deleted = 0
        for attempt in range(_ATTEMPTS):
            seen = await read()
            name = "delete_unchanged" if attempt == _ATTEMPTS - 1 else "delete_seen"
            deleted = await self.delete(operation, name, seen) if seen else 0
            if deleted >= 0:
                break
        return deleted


async def sieved(
    read: Callable[[int | None], Awaitable[list[T]]], keep: Callable[[list[T]], Awaitable[list[T]]], limit: int | None
) -> list[T]:
    """Return the first `limit` that `keep` keeps of what `read` gives at once; more is read until they are enough."""
    wanted = limit and limit * _SPARE
    while True:
        rows = await read(wanted)
        found = (await keep(rows))[:limit]
        if limit is None or wanted is None or len(rows) < wanted or len(found) == limit:
            return found
        wanted *= _SPARE


def _size(key: tuple[Argument, ...]) -> int:
    return sum(len(part) for part in key if isinstance(part, str | bytes))


def _flat(keys: Sequence[tuple[Argument, ...]]) -> list[Argument]:
    return list(chain.from_iterable(keys))


def bounds(ids: Range) -> tuple[str, str]:
    """Return a range of ids as the server takes it."""
    low, included = ids.low()
    high = ids.high()
    lowest = f"{'[' if included else '('}{low}" if low else "-"
    return lowest, "+" if high is None else f"({high}"


def check_size(value: bytes, what: str) -> bytes:
    """Return a value that the server can hold."""
    if len(value) > _LARGEST:
        raise InvalidValueError(f"{what} has {len(value):,} bytes, and Redis takes at most {_LARGEST:,}.")
    return value
