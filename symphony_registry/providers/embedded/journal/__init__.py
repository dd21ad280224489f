"""A crash-safe journal of JSON lines in a directory of its own, and a snapshot beside it."""

from symphony_registry.providers.embedded.journal.damaged import Loss, read_damaged, read_header
from symphony_registry.providers.embedded.journal.directory import Directory
from symphony_registry.providers.embedded.journal.journal import Durability, Journal
from symphony_registry.providers.embedded.journal.lines import LARGE, Record
from symphony_registry.providers.embedded.journal.replay import Replay
from symphony_registry.providers.embedded.journal.snapshot import Snapshot, read_snapshot, write_snapshot

__all__ = [
    "LARGE",
    "Directory",
    "Durability",
    "Journal",
    "Loss",
    "Record",
    "Replay",
    "Snapshot",
    "read_damaged",
    "read_header",
    "read_snapshot",
    "write_snapshot",
]
