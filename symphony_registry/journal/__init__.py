"""A crash-safe journal of JSON lines in a directory of its own."""

from symphony_registry.journal.journal import Journal, Record

__all__ = ["Journal", "Record"]
