"""Stores as tools for agents, by the Model Context Protocol: `symphony-registry mcp`, or a server in an application."""

from symphony_registry.integrations.mcp.answers import Limits
from symphony_registry.integrations.mcp.server import create_server, serve
from symphony_registry.integrations.mcp.vectors import Embed

__all__ = ["Embed", "Limits", "create_server", "serve"]
