"""Runs without the SDK's traces, which it sends to a server."""

from agents import set_tracing_disabled

set_tracing_disabled(disabled=True)
