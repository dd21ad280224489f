"""A toy engine: a dictionary behind a socket, and the three stores over it. `docs/write-an-engine.md` explains it."""
