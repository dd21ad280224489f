"""Running a part of a check in another process."""

import asyncio
import pickle  # what is read was written by the parent process
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

from symphony_registry.testing.harness import Storage

_PROGRAM = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
pickle.load(sys.stdin.buffer)()
"""


class SentenceSkipped(Exception):  # noqa: N818 - not an error
    """The sentence cannot be tried here; the message is the reason."""


class Ended(NamedTuple):
    """How a process ended, and what it wrote to its standard error."""

    code: int | None
    errors: str


async def in_another_process(storage: Storage[Any], work: Callable[[Any], Awaitable[object]]) -> Ended:
    """Run `work(store)` in a process of its own, which opens the storage, and wait for its end."""
    try:
        sent = pickle.dumps(sys.path) + pickle.dumps(partial(_run, storage, work))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SentenceSkipped(f"the provider or its options cannot be sent to another process: {error}") from error
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, stdin=pipe, stderr=pipe)
    try:
        _, errors = await process.communicate(sent)
    finally:
        if process.returncode is None:
            process.kill()
    if b"ProviderNotFoundError" in errors:
        raise SentenceSkipped("another process does not know the provider: name it as package.module:Class")
    return Ended(process.returncode, errors.decode())


def _run(storage: Storage[Any], work: Callable[[Any], Awaitable[object]]) -> None:
    async def run() -> None:
        async with storage.open() as store:
            await work(store)

    asyncio.run(run())
