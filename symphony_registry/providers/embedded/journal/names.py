"""What the files of a journal's directory are called."""

JOURNAL_NAME = "journal.jsonl"
SNAPSHOT_NAME = "snapshot"
LOCK_NAME = "LOCK"
RESCUE = "Restore a backup, or copy what can be read with symphony_registry.providers.embedded.salvage."
NEW = ".new"  # is added to the name of a file that is being written
