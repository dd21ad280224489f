"""A server of the Model Context Protocol over the stores of a registry."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from itertools import chain
from typing import Any, cast

import anyio
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings

from symphony_registry.backends.storage import BackendType
from symphony_registry.integrations.mcp.answers import Limits
from symphony_registry.integrations.mcp.checkpoints import CheckpointTools
from symphony_registry.integrations.mcp.graphs import GraphTools
from symphony_registry.integrations.mcp.stores import StoreTools
from symphony_registry.integrations.mcp.tools import as_tool
from symphony_registry.integrations.mcp.vectors import Embed, VectorTools
from symphony_registry.registry import ServiceRegistry

_INSTRUCTIONS = """\
Stores of an application: vector stores (items found by similarity), knowledge graphs (entities and relations) and \
checkpoint stores (saved states, by id and time). list_stores says which there are, describe_store what to filter \
by. An answer holds what fits: \
where it has `next`, call the same tool again with these arguments changed for the rest."""
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_LONGEST_LINE = 2**26  # bytes of a request


def create_server(
    registry: ServiceRegistry,
    *,
    allow_writes: bool = False,
    embed: Embed | None = None,
    limits: Limits | None = None,
    note: str | None = None,
) -> "MCPServer[Any]":
    """Return a server with tools for the types of stores that the registry has, reading ones unless `allow_writes`.

    A store is opened when it is first needed, on the event loop that serves;
    whoever has the registry closes it. `note` is what list_stores says of all of them.
    """
    limits = limits or Limits()
    stores = StoreTools(registry, limits, allow_writes=allow_writes, note=note)
    kinds: dict[BackendType, VectorTools | GraphTools | CheckpointTools] = {
        BackendType.VECTOR_STORE: VectorTools(stores, limits, embed),
        BackendType.KNOWLEDGE_GRAPH: GraphTools(stores, limits),
        BackendType.CHECKPOINT_STORE: CheckpointTools(stores, limits),
    }
    offered = [tools.tools() for kind, tools in kinds.items() if registry.list_backends(kind)]
    return MCPServer(
        "symphony-registry",
        instructions=_INSTRUCTIONS,
        version=version("symphony-registry"),
        log_level="WARNING",
        tools=[
            as_tool(method, annotations)
            for method, annotations in chain(stores.tools(), *offered)
            if annotations.read_only_hint or allow_writes
        ],
    )


async def serve(
    registry: ServiceRegistry,
    *,
    allow_writes: bool = False,
    embed: Embed | None = None,
    limits: Limits | None = None,
    note: str | None = None,
    http: tuple[str, int] | None = None,
    allowed_hosts: Sequence[str] = (),
) -> None:
    """Serve on standard input and output, or at an HTTP address, until the client leaves or SIGTERM; then close all.

    The other arguments are those of `create_server`. `allowed_hosts` are the names by which clients may reach
    the address, besides those of this machine itself; any other is refused, so that no web page can call a tool
    under a name of its own. Nobody is asked who they are.
    """
    server = create_server(registry, allow_writes=allow_writes, embed=embed, limits=limits, note=note)
    server.settings.log_level = "INFO"  # which has where HTTP is served
    loop = asyncio.get_running_loop()
    serving = loop.create_task(
        _serve_stdio(server)
        if http is None
        else server.run_streamable_http_async(host=http[0], port=http[1], transport_security=_only(allowed_hosts))
    )
    loop.add_signal_handler(signal.SIGTERM, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) and task.cancelling():  # not by the signal
            raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        await registry.close()


def _only(hosts: Sequence[str]) -> TransportSecuritySettings:
    """Return settings that refuse requests to other names, and from web pages of other names."""
    names = [named for each in (*_LOOPBACK, *hosts) for named in (each, f"{each}:*")]
    return TransportSecuritySettings(
        allowed_hosts=names, allowed_origins=[f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
    )


async def _serve_stdio(server: "MCPServer[Any]") -> None:
    """Serve as the SDK does, but read on the event loop: a thread that waits for a line could not be stopped."""
    if not sys.stdin.isatty() and not stat.S_ISFIFO(mode := os.fstat(0).st_mode) and not stat.S_ISSOCK(mode):
        await server.run_stdio_async()  # a file, whose end comes by itself
        return
    lines = asyncio.StreamReader(limit=_LONGEST_LINE)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    with closing(transport):
        async with stdio_server(stdin=cast("anyio.AsyncFile[str]", lines)) as (requests, answers):
            lowlevel = server._lowlevel_server
            await lowlevel.run(requests, answers, lowlevel.create_initialization_options())
