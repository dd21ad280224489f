"""Trying a configuration out: every backend that can be opened is opened, and everything wrong is found."""

import asyncio
import re
import time
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from typing import Literal, NamedTuple, TypeVar

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.lifecycle import Lifecycle
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.errors import (
    BackendErrorGroup,
    BackendTimeoutError,
    BackendUnavailableError,
    Problem,
    RegistryError,
    StorageError,
    UnsupportedOperationError,
    without_text,
)
from symphony_registry.settings import RegistrySettings, Timeouts
from symphony_registry.settings.layers import Configuration
from symphony_registry.settings.tree import Branch, Leaf, Path_, is_backend

T = TypeVar("T")
Status = Literal["ok", "valid", "invalid", "failing", "timeout"]

# What kinds of options an error is about, where it does not name one.
_ABOUT: dict[type[RegistryError], tuple[str, ...]] = {
    StorageError: ("path",),
    BackendUnavailableError: ("dsn", "url", "uri", "host"),
}
_UNSHOWN = "What it says may hold a secret, so it is not shown: open the backend in Python to read it."


class Checked(NamedTuple):
    """What was found out about a backend, or about a setting that belongs to none (`type` is `None` then).

    `valid` is what was not opened since that was not asked for. `latency` is that
    of a health check, in seconds.
    """

    type: BackendType | None
    name: str
    provider: str | None
    status: Status
    problems: tuple[Problem, ...] = ()
    latency: float | None = None
    engine: str | None = None
    items: dict[str, int] = {}  # noqa: RUF012 - never changed


async def check(configuration: Configuration, *, offline: bool = False) -> list[Checked]:
    """Return what every backend is like, then what is wrong with everything else.

    What is right is opened even where something else is wrong, all at once, each
    under the timeouts of the configuration; `offline` opens nothing.
    """
    settings = configuration.sound()
    paths = list(_backends(configuration))
    checks = [_check(configuration, settings, path, offline=offline) for path in paths]
    others = [
        Checked(None, ".".join(problem.path), None, "invalid", (problem,))
        for problem in configuration.problems
        if problem.path[:2] not in paths
    ]
    return [*await asyncio.gather(*checks), *others]


def _backends(configuration: Configuration) -> Iterator[Path_]:
    """Yield the path of each backend: those there are, and those that were meant."""
    meant = [problem.path[:2] for problem in configuration.problems if is_backend(problem.path[:2])]
    for backend_type in BackendType:
        section = configuration.tree.children.get(backend_type.section)
        names = section.children if isinstance(section, Branch) else {}
        known = dict.fromkeys([*names, *(name for kind, name in meant if kind == backend_type.section)])
        yield from ((backend_type.section, name) for name in known)


async def _check(configuration: Configuration, settings: RegistrySettings, path: Path_, *, offline: bool) -> Checked:
    backend_type = next(each for each in BackendType if each.section == path[0])
    name = path[1]
    node = configuration.tree.find((*path, "provider"))
    provider = node.value if isinstance(node, Leaf) and isinstance(node.value, str) else None
    if problems := tuple(problem for problem in configuration.problems if problem.path[:2] == path):
        return Checked(backend_type, name, provider, "invalid", problems)
    if offline:
        return Checked(backend_type, name, provider, "valid")
    chosen = settings.backends(backend_type)[name]
    found = Checked(backend_type, name, chosen.provider, "ok")
    try:
        backend = StorageBackendFactory.build(backend_type, chosen.provider, name, chosen.options)
        return await _opened(backend, found, settings.timeouts)
    except Exception as error:
        own = without_text(error, f"{backend_type} {name} failed")
        status: Status = "timeout" if isinstance(own, BackendTimeoutError) else "failing"
        return found._replace(status=status, problems=_located(configuration, path, own))


async def _opened(backend: StorageBackend, found: Checked, timeouts: Timeouts) -> Checked:
    lifecycle = Lifecycle()
    await lifecycle.open(backend, timeouts.open)
    try:
        started = time.perf_counter()
        healthy = await _within(timeouts.health, backend.health_check(), f"{backend} did not answer its health check")
        latency = time.perf_counter() - started
        if not healthy:
            raise BackendUnavailableError(f"{backend} was opened, but its health check fails.")
        engine = await _within(timeouts.health, backend.version(), f"{backend} did not tell its version")
        items = await _counted(backend, timeouts.health)
    except Exception:
        with suppress(BackendErrorGroup):  # what went wrong first is told
            await lifecycle.close(backend, timeouts.close)
        raise
    await lifecycle.close(backend, timeouts.close)
    return found._replace(latency=latency, engine=engine, items=items)


async def _within(seconds: float, answer: Awaitable[T], failure: str) -> T:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await answer
    except TimeoutError as error:
        if limit.expired():
            raise BackendTimeoutError(f"{failure} within {seconds} s.") from error
        raise


async def _counted(backend: StorageBackend, seconds: float) -> dict[str, int]:
    """Return how many items there are, by kind; none where that takes longer, as it may where they are many."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await _count(backend)
    except TimeoutError:
        if limit.expired():
            return {}
        raise


async def _count(backend: StorageBackend) -> dict[str, int]:
    """Return how many items there are, by kind; none where the provider cannot tell."""
    try:
        match backend:
            case VectorStoreBackend():
                return {"vectors": await backend.count()}
            case KnowledgeGraphBackend():
                return {"entities": await backend.count_entities(), "relations": await backend.count_relations()}
            case CheckpointStoreBackend():
                return {"checkpoints": await backend.count()}
    except UnsupportedOperationError:
        pass
    return {}


def _located(configuration: Configuration, path: Path_, error: BaseException) -> tuple[Problem, ...]:
    """Return what went wrong with a backend, at the option that it is about."""
    if isinstance(error, BackendErrorGroup):
        return tuple(problem for each in error.exceptions for problem in _located(configuration, path, each))
    message = str(error)
    if message.endswith(f": {type(error.__cause__).__name__}."):  # what a driver raised, in place of a next step
        message += f" {_UNSHOWN}"
    if isinstance(error, BackendTimeoutError):
        message += " See whether it can be reached from here, or give it longer, under timeouts."
    options = configuration.tree.find((*path, "options"))
    given = options.children if isinstance(options, Branch) else {}
    about = [name for kind, names in _ABOUT.items() if isinstance(error, kind) for name in names]
    named = [name for name in given if re.search(rf"\boptions? {re.escape(name)}\b", message)]
    option = next((name for name in [*named, *about] if name in given), None)
    where = (*path, "provider") if option is None else (*path, "options", option)
    return (configuration.tree.find(where).origin.problem(where, message),)
