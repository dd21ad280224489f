"""Scripts that fork while stores are open, each in a process of its own."""

import json
import subprocess
import sys
import textwrap
from typing import Any

_BEFORE = """
import asyncio, gc, json, os, sys, threading
from symphony_registry.containers import RegistryContainer

settings = {"provider": sys.argv[1], "options": json.loads(sys.argv[2])}
container = RegistryContainer(config={"checkpoint_stores": {"default": settings}})
registry = container.registry()
store = container.checkpoint_stores("default")

def in_child(work):
    '''Return what `work()` gives or raises in a forked child.'''
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            said = work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps(said).encode())
        gc.collect()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = json.loads(file.read())
    os.waitpid(child, 0)
    return said

async def save(*names):
    for name in names:
        await (await registry.open_backend("checkpoint_store", "default")).save_checkpoint(name, {})

async def ids():
    await registry.open()
    return [info["checkpoint_id"] for info in await store.list_checkpoints()]
"""


def ended(script: str, provider: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run a script in a process of its own, however it ends."""
    command = [sys.executable, "-c", _BEFORE + textwrap.dedent(script), provider, json.dumps(options)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def run(script: str, provider: str, **options: object) -> Any:
    """Run a script in a process of its own, and return what it prints, as JSON."""
    done = ended(script, provider, **options)
    assert not done.returncode, done.stderr
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)
