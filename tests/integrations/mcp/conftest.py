"""An agent's client, the SDK's own, connected to a server in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from mcp import Client
from mcp.types import TextContent

from symphony_registry import ServiceRegistry
from symphony_registry.integrations.mcp import create_server


class Agent:
    """Calls tools, and remembers which."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.called: set[str] = set()

    async def names(self) -> set[str]:
        return {tool.name for tool in (await self.client.list_tools()).tools}

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        self.called.add(name)
        result = await self.client.call_tool(name, arguments)
        assert not result.is_error, result.content
        assert isinstance(result.structured_content, dict)
        return result.structured_content

    async def failed(self, name: str, **arguments: Any) -> str:
        result = await self.client.call_tool(name, arguments)
        assert result.is_error, result.structured_content
        (content,) = result.content
        assert isinstance(content, TextContent)
        return content.text


Connect = Callable[..., AbstractAsyncContextManager[Agent]]


def embed(text: str) -> list[float]:
    """Return how often a text has the letters a and b: a fake that can be told apart."""
    return [1.0 + text.count("a"), 1.0 + text.count("b")]


@pytest.fixture
def connect() -> Connect:
    @asynccontextmanager
    async def connect(registry: ServiceRegistry, **options: Any) -> AsyncIterator[Agent]:
        async with Client(create_server(registry, **options)) as client:
            yield Agent(client)

    return connect
