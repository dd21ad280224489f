"""What the files of a journal's directory are called."""

JOURNAL_NAME = "journal.jsonl"
SNAPSHOT_NAME = "snapshot"
LOCK_NAME = "LOCK"
RESCUE = "Restore a backup, or copy what can be read with symphony_registry.providers.embedded.salvage."
NEW = ".new"  # is added to the name of a file that is being written
# What the Symphony framework's file backends make, and what to do with it.
SYMPHONY_FOLDERS = frozenset({"vectors", "entities", "relations", "checkpoints"})
SYMPHONY_ADVICE = " What the Symphony framework wrote: symphony-registry import {}/NAME --from-symphony {}"
