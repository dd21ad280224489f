"""Real engines: for each, what its providers share."""
