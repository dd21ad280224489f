"""Trying a configuration out: every backend that can be opened is opened, and everything wrong is found."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Literal, NamedTuple

from symphony_registry.backends.factory import StorageBackendFactory
from symphony_registry.backends.kinds import KINDS
from symphony_registry.backends.lifecycle import Lifecycle, limited
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.containers.registry import build_backend
from symphony_registry.errors import (
    BackendErrorGroup,
    BackendTimeoutError,
    Problem,
    RegistryError,
    StorageLockedError,
    UnsupportedOperationError,
    attributed,
    public_text,
)
from symphony_registry.settings import Timeouts
from symphony_registry.settings.layers import Configuration
from symphony_registry.settings.tree import Branch, Leaf, Path_, is_backend
from symphony_registry.transfer import count_items

Status = Literal["ok", "valid", "invalid", "failing", "timeout"]


class Checked(NamedTuple):
    """What was found out about a backend, or about a setting that belongs to none (`type` is `None` then).

    `valid` is what was not opened because nobody asked for that. `latency` is that
    of a health check, in seconds.
    """

    type: BackendType | None
    name: str
    provider: str | None
    status: Status
    problems: tuple[Problem, ...] = ()
    latency: float | None = None
    engine: str | None = None
    note: str = ""
    items: dict[str, int] = {}  # noqa: RUF012 - never changed


async def check(configuration: Configuration, *, offline: bool = False) -> list[Checked]:
    """Return how every backend is, then what is wrong with everything else.

    What is right is opened even where something else is wrong, all at once, each
    under the timeouts of the configuration; `offline` opens nothing.
    """
    paths = list(_backends(configuration))
    checks = [_check(configuration, path, offline=offline) for path in paths]
    others = [
        Checked(None, ".".join(problem.path), None, "invalid", (problem,))
        for problem in configuration.problems
        if problem.path[:2] not in paths
    ]
    return [*await asyncio.gather(*checks), *others]


def _backends(configuration: Configuration) -> Iterator[Path_]:
    """Yield the path of each backend: those that are configured, and those that problems are about."""
    meant = [problem.path[:2] for problem in configuration.problems if is_backend(problem.path[:2])]
    for backend_type in BackendType:
        section = configuration.tree.children.get(backend_type.section)
        names = section.children if isinstance(section, Branch) else {}
        known = dict.fromkeys([*names, *(name for kind, name in meant if kind == backend_type.section)])
        yield from ((backend_type.section, name) for name in known)


async def _check(configuration: Configuration, path: Path_, *, offline: bool) -> Checked:
    backend_type = next(each for each in BackendType if each.section == path[0])
    name = path[1]
    configured = configuration.tree.find(path)
    node = configured.children.get("provider") if isinstance(configured, Branch) else None
    provider = node.value if isinstance(node, Leaf) and isinstance(node.value, str) else None
    if problems := tuple(problem for problem in configuration.problems if problem.path[:2] == path):
        return Checked(backend_type, name, provider, "invalid", problems)
    found = Checked(backend_type, name, provider, "valid" if offline else "ok")
    try:
        backend = build_backend(KINDS[backend_type], StorageBackendFactory(), configuration.settings, name)
    except Exception as error:
        return found._replace(status="invalid", problems=_located(configuration, path, error))
    if offline:
        return found
    try:
        return await _opened(backend, found, configuration.settings.timeouts)
    except Exception as error:
        status: Status = "timeout" if isinstance(error, BackendTimeoutError) else "failing"
        return found._replace(status=status, problems=_located(configuration, path, error))


async def open_beside(backend: StorageBackend, open_it: Callable[[], Awaitable[object]]) -> str:
    """Open a backend to read it, beside an application that has it locked if its provider can do that.

    Returns what there is to say of it, if anything.
    """
    try:
        await open_it()
    except StorageLockedError:
        options = getattr(backend, "Options", BackendOptions)
        if "read_only" not in options.model_fields:
            raise
        await backend.initialize({**backend.config, "read_only": True})
        with suppress(RegistryError):  # it is locked, and there is nothing to read
            await open_it()
            return "An application has it open: what it had stored by now was read."
        raise
    return ""


async def _opened(backend: StorageBackend, found: Checked, timeouts: Timeouts) -> Checked:
    lifecycle = Lifecycle()
    note = await open_beside(backend, lambda: lifecycle.open(backend, timeouts.open))
    found = found._replace(note=note)
    try:
        found = await _asked(backend, found, timeouts.health)
    except Exception as error:
        with suppress(BackendErrorGroup):  # what went wrong first is reported
            await lifecycle.close(backend, timeouts.close)
        raise attributed(error, f"{backend} failed")  # noqa: B904 - it has its cause
    await lifecycle.close(backend, timeouts.close)
    return found


async def _asked(backend: StorageBackend, found: Checked, seconds: float) -> Checked:
    started = time.perf_counter()
    async with limited(seconds, f"{backend} did not answer its health check"):
        await backend.ensure_healthy()
    latency = time.perf_counter() - started
    async with limited(seconds, f"{backend} did not give its version"):
        engine = await backend.version()
    return found._replace(latency=latency, engine=engine, items=await counted(backend, seconds))


async def counted(backend: StorageBackend, seconds: float) -> dict[str, int]:
    """Return how many items there are, by kind; none where the provider cannot count them, or not in time."""
    try:
        async with limited(seconds, f"{backend} did not count its items"):
            return await count_items(backend)
    except (UnsupportedOperationError, BackendTimeoutError):
        return {}


def _located(configuration: Configuration, path: Path_, error: BaseException) -> tuple[Problem, ...]:
    """Return what went wrong with a backend, at the option that it is about."""
    if isinstance(error, BackendErrorGroup):
        return tuple(problem for each in error.exceptions for problem in _located(configuration, path, each))
    options = configuration.tree.find((*path, "options"))
    given = options.children if isinstance(options, Branch) else {}
    about = error.options if isinstance(error, RegistryError) else ()
    option = next((name for name in about if name in given), None)
    where = (*path, "provider") if option is None else (*path, "options", option)
    return (configuration.tree.find(where).origin.problem(where, public_text(error)),)
