"""Stores in this process: `memory`, and `file` with a journal on disk."""
