"""What the files of a journal's directory are called."""

JOURNAL_NAME = "journal.jsonl"
SNAPSHOT_NAME = "snapshot"
LOCK_NAME = "LOCK"
NEW = ".new"  # is added to the name of a file that is being written
