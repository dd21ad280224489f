"""Questions that a command asks in a terminal: never on an event loop, where Ctrl-C would wait for the answer."""

import sys


def ask(question: str) -> str | None:
    """Return what is typed, `None` where it ends instead (Ctrl-D); Ctrl-C ends the command."""
    print(question, end=" ", file=sys.stderr, flush=True)  # noqa: T201
    line = sys.stdin.readline()
    if not line:
        print(file=sys.stderr)  # noqa: T201
        return None
    return line.strip()
