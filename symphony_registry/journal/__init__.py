"""A crash-safe journal of JSON lines in a directory of its own."""

from symphony_registry.journal.journal import Journal
from symphony_registry.journal.lines import Record

__all__ = ["Journal", "Record"]
