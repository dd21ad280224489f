"""A process that is killed while it saves."""

import subprocess
import sys
from pathlib import Path

from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.integrations.langgraph import RegistrySaver
from tests.integrations.langgraph.steps import at

SAVING = """
import asyncio, sys
from symphony_registry.backends.checkpoint_store import FileCheckpointStore
from symphony_registry.integrations.langgraph import RegistrySaver
from tests.integrations.langgraph.steps import at, step

async def main(path):
    async with FileCheckpointStore({"path": path}) as store:
        saver, config, n = RegistrySaver(store), at("one"), 0
        while True:
            n += 1
            config = await step(saver, config, {"messages": ["x" * 1000] * n, "number": [n]}, step=n)
            await saver.aput_writes(config, [("number", n), ("messages", n)], "task")
            print(n, flush=True)

asyncio.run(main(sys.argv[1]))
"""


def saved_until_killed(path: Path) -> int:
    """Let a process save, kill it, and return how many steps it had acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", SAVING, str(path)], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        acknowledged = 0
        while acknowledged < 40:
            acknowledged = int(process.stdout.readline())
        process.kill()
        return max([acknowledged, *(int(line) for line in process.stdout if line.endswith("\n"))])


async def test_what_was_acknowledged_is_there_and_no_checkpoint_lacks_its_values(tmp_path: Path) -> None:
    acknowledged = saved_until_killed(tmp_path / "data")
    async with FileCheckpointStore({"path": str(tmp_path / "data")}) as store:
        found = [each async for each in RegistrySaver(store).alist(at("one"))][::-1]
    assert len(found) >= acknowledged
    for n, each in enumerate(found, 1):
        assert each.checkpoint["channel_values"] == {"messages": ["x" * 1000] * n, "number": [n]}
        if n <= acknowledged:
            assert each.pending_writes == [("task", "number", n), ("task", "messages", n)]
