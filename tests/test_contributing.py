"""What CONTRIBUTING.md says to run can be run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BY_THE_GATE = {"pytest", 'pytest -m "not slow"', ".ci/run --fast", ".ci/run"}
COMMANDS = re.findall(r"^\| `(.+?)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in BY_THE_GATE])
def test_a_command_runs_and_pytest_finds_what_it_is_to_run(command: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTEST_ADDOPTS": "--collect-only -n0"}
    done = subprocess.run(command, check=False, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
