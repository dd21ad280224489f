"""The rules of access that the page on Redis lists are enough, and what is missing is found before a write."""

import re
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.backends.storage import BackendType
from symphony_registry.errors import BackendSetupError
from symphony_registry.testing.adapters import adapt
from tests.helpers.redis_cases import each_type
from tests.helpers.redis_server import Server

PAGE = (Path(__file__).parents[3] / "docs" / "redis.md").read_text()
((RULES,),) = [re.findall(r"<!-- rules -->\n```\nACL SETUSER agents on >password (.*)\n```", PAGE)]
((VECTOR_RULES,),) = [re.findall(r"<!-- rules for vectors -->\n```\nACL SETUSER agents (.*)\n```", PAGE)]


def login(server: Server, *rules: str) -> str:
    """Return the URL of a user with these rights."""
    server.command("ACL", "SETUSER", "agents", "reset", "on", ">password", *rules)
    return server.url.replace("redis://", "redis://agents:password@")


def rules(kind: Any) -> list[str]:
    """Return the rules that the page lists for a type of store."""
    return [*RULES.split(), *(VECTOR_RULES.split() if kind.backend_type is BackendType.VECTOR_STORE else ())]


@each_type
async def test_a_user_with_the_rights_of_the_page_can_do_everything(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    url = login(server, *rules(kind))
    async with kind({**options, "prefix": "symphony", "url": url}) as backend:
        adapter = adapt(backend)
        for operation in adapter.operations().values():
            await operation()
        await backend.clear()
        assert await backend.version()
    with pytest.raises(BackendSetupError, match="No permissions to access a key"):
        await kind({**options, "prefix": "others", "url": url}).connect()


@each_type
@pytest.mark.parametrize("missing", ["-info", "-evalsha", "-hset", "-zadd", "-unlink"])
async def test_a_right_that_is_missing_is_found_before_anything_is_written(
    missing: str, kind: Any, server: Server, options: dict[str, Any]
) -> None:
    url = login(server, *rules(kind), missing)
    with pytest.raises(BackendSetupError, match=f"(?i){missing[1:]}") as caught:
        await kind({**options, "prefix": f"symphony:{options['prefix']}", "url": url}).connect()
    assert "Grant" in str(caught.value)
    assert not list(server.command("KEYS", f"{{symphony:{options['prefix']}*"))


@each_type
async def test_a_user_who_only_reads_needs_no_right_to_write(
    kind: Any, server: Server, options: dict[str, Any]
) -> None:
    options["prefix"] = f"symphony:{options['prefix']}"
    async with kind(options) as backend:
        adapter = adapt(backend)
        await adapter.fill()
        expected = {name: await read() for name, read in adapter.reads().items()}
    url = login(server, *rules(kind), "-@write", "-ft.create", "-ft.dropindex")
    async with kind({**options, "url": url, "create": False}) as reader:
        adapter = adapt(reader)
        assert {name: await read() for name, read in adapter.reads().items()} == expected
        with pytest.raises(BackendSetupError, match="permission"):
            await adapter.put("new")
    async with kind(options) as backend:
        assert await adapt(backend).get("new") is None
