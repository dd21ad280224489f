"""A checkpointer: the threads of graphs."""
