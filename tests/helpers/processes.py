"""Python processes that begin at once."""

import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[2]


def started(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a script, whose lines are read and written to."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def outputs_at_once(script: str, several: Iterable[Iterable[str]]) -> list[list[str]]:
    """Run a script with each of several arguments; it writes a line when it is ready, and goes on when it reads one."""
    with ExitStack() as stack:
        processes = [stack.enter_context(started(script, *arguments)) for arguments in several]
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate()[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return outputs
