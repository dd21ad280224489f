"""The command `symphony-registry`: an extra, so that applications do not carry what only a terminal needs."""

import sys
from collections.abc import Sequence

_LIBRARIES = ("rich", "typer")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 where a problem was found, 2 where it was misused."""
    if sys.stdout is None:
        print("error: standard output is closed.", file=sys.stderr)  # noqa: T201
        return 1
    try:
        from symphony_registry.cli.app import run  # noqa: PLC0415 - the libraries may be missing
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        print(f"{error.name} is not installed: pip install 'symphony-registry[cli]'", file=sys.stderr)  # noqa: T201
        return 1
    return run(arguments)
