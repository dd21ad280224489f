"""`migrate` between files and an engine behind a server."""

# mypy: ignore-errors
# (stores of all types in the same variables)

import asyncio
import json
import os
import subprocess
import sys

import pytest

from symphony_registry.backends import BackendType
from tests.helpers.transfers import everything, filled, store_of

MORE = 2_000


@pytest.fixture
def directory(tmp_path, product, options):
    """A directory with the environments `files`, which is filled, `there` and `back`."""
    for name in ("files", "there", "back"):
        sections = {}
        for kind in BackendType:
            of_files = {"provider": "file", "options": {"path": str(tmp_path / name / kind)}}
            entry = {"provider": product, "options": options} if name == "there" else of_files
            sections[kind.section] = {"default": entry}
        (tmp_path / f"{name}.yaml").write_text(json.dumps(sections))

    async def fill():
        for kind in BackendType:
            async with store_of(kind, "file", tmp_path / "files") as store:
                await filled(store, MORE)

    asyncio.run(fill())
    return tmp_path


def migrating(directory, source, target):
    """Return a process that migrates."""
    command = [sys.executable, "-m", "symphony_registry", "migrate", "--from", source, "--to", target, "--json"]
    variables = {**os.environ, "SYMPHONY_REGISTRY_CONFIG_DIR": str(directory)}
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)


def finished(process):
    """Return what a migration tells of each store, when it has ended well."""
    output, _ = process.communicate()
    assert process.returncode == 0, output
    stores = {store["type"]: store for store in json.loads(output)["stores"]}
    assert all(store["equal"] for store in stores.values())
    return stores


async def some_arrived(kind, options, process):
    """Return when a part of the vectors is there."""
    async with kind(options) as store:
        while process.poll() is None and not await store.count():
            pass


@pytest.mark.slow
def test_files_go_there_and_back_and_a_kill_in_the_middle_changes_nothing(directory, engine, options):
    process = migrating(directory, "files", "there")
    asyncio.run(some_arrived(engine.kinds[0], options, process))
    process.kill()
    process.communicate()
    there = finished(migrating(directory, "files", "there"))
    assert there[BackendType.VECTOR_STORE]["action"] == "continue"
    back = finished(migrating(directory, "there", "back"))
    for kind in BackendType:
        assert there[kind]["target"] == back[kind]["target"]

        async def held(name, kind=kind):
            async with store_of(kind, "file", directory / name) as store:
                return await everything(store)

        assert asyncio.run(held("back")) == asyncio.run(held("files"))
