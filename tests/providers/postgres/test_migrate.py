"""`migrate` between files and PostgreSQL."""

# mypy: ignore-errors
# (stores of all types in the same variables)

import asyncio
import json
import os
import subprocess
import sys

import asyncpg
import pytest

from symphony_registry.backends import BackendType
from tests.helpers.transfers import everything, filled, store_of

MORE = 2_000


@pytest.fixture
def config(tmp_path, postgres_url, new_schema):
    """A directory with the environments `files`, which is filled, `postgres` and `back`."""
    postgres = {"dsn": "${DATABASE_URL}", "schema": new_schema()}
    for name in ("files", "postgres", "back"):
        sections = {}
        for kind in BackendType:
            options = postgres if name == "postgres" else {"path": str(tmp_path / name / kind)}
            provider = "postgres" if name == "postgres" else "file"
            sections[kind.section] = {"default": {"provider": provider, "options": options}}
        (tmp_path / f"{name}.yaml").write_text(json.dumps(sections))

    async def fill():
        for kind in BackendType:
            async with store_of(kind, "file", tmp_path / "files") as store:
                await filled(store, MORE)

    asyncio.run(fill())
    return tmp_path, postgres_url, postgres["schema"]


def migrating(config, source, target):
    """Return a process that migrates."""
    directory, url, _ = config
    command = [sys.executable, "-m", "symphony_registry", "migrate", "--from", source, "--to", target, "--json"]
    variables = {**os.environ, "SYMPHONY_REGISTRY_CONFIG_DIR": str(directory), "DATABASE_URL": url}
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)


def finished(process):
    """Return what a migration tells of each store, when it has ended well."""
    output, _ = process.communicate()
    assert process.returncode == 0, output
    stores = {store["type"]: store for store in json.loads(output)["stores"]}
    assert all(store["equal"] for store in stores.values())
    return stores


async def some_arrived(url, schema, process):
    """Return when a part of the vectors is in PostgreSQL."""
    connection = await asyncpg.connect(url)
    try:
        while process.poll() is None:
            try:
                if await connection.fetchval(f'SELECT EXISTS (SELECT FROM "{schema}".default_vectors)'):
                    return
            except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
                pass  # they are not made yet
    finally:
        await connection.close()


@pytest.mark.slow
def test_files_go_to_postgresql_and_back_and_a_kill_in_the_middle_changes_nothing(config):
    directory, url, schema = config
    process = migrating(config, "files", "postgres")
    asyncio.run(some_arrived(url, schema, process))
    process.kill()
    process.communicate()
    there = finished(migrating(config, "files", "postgres"))
    assert there[BackendType.VECTOR_STORE]["action"] == "continue"
    back = finished(migrating(config, "postgres", "back"))
    for kind in BackendType:
        assert there[kind]["target"] == back[kind]["target"]

        async def held(name, kind=kind):
            async with store_of(kind, "file", directory / name) as store:
                return await everything(store)

        assert asyncio.run(held("back")) == asyncio.run(held("files"))
