"""What is kept of values that are encrypted."""

import json
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.serde.base import CipherProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend, FileCheckpointStore
from symphony_registry.integrations.langgraph import RegistrySaver
from symphony_registry.providers.postgres.checkpoint_store import PostgresCheckpointStore
from tests.integrations.langgraph.steps import at, step


class Reversing(CipherProtocol):
    """A cipher for tests."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "reversed", plaintext[::-1]

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        assert ciphername == "reversed"
        return ciphertext[::-1]


async def test_of_encrypted_values_nothing_is_in_the_clear(checkpoint_store: CheckpointStoreBackend) -> None:
    saver = RegistrySaver(checkpoint_store, serde=EncryptedSerializer(Reversing()))
    values: dict[str, Any] = {"long": [HumanMessage("SECRET")], "short": "SECRET", "text": "SECRET" * 100}
    saved = await step(saver, at("one"), values)
    await saver.aput_writes(saved, [("channel", "SECRET")], "task")
    rows = [each async for each in checkpoint_store.scan()]
    assert len(rows) == 4
    for row in rows:
        assert b"SECRET" not in row.pop("payload", b"")
        assert "SECRET" not in json.dumps(row)
    found = await saver.aget_tuple(at("one"))
    assert found
    assert found.checkpoint["channel_values"] == values
    assert found.pending_writes == [("task", "channel", "SECRET")]


async def save_secrets(store: CheckpointStoreBackend, *, encrypted: bool) -> None:
    """Save a secret wherever a value can be, and let it be saved again by copying and pruning."""
    saver = RegistrySaver(store, serde=EncryptedSerializer(Reversing()) if encrypted else None)
    config = at("one")
    for _ in range(2):
        config = await step(saver, config, {"long": [HumanMessage("SECRET")], "short": "SECRET"})
        writes = [("channel", "SECRET"), ("__interrupt__", ["SECRET"]), ("__error__", ValueError("SECRET"))]
        await saver.aput_writes(config, writes, "task")
    await saver.acopy_thread("one", "other")
    await saver.aprune(["one"])


@pytest.mark.parametrize("encrypted", [True, False])
async def test_in_files_nothing_of_encrypted_values_is_in_the_clear(tmp_path: Path, *, encrypted: bool) -> None:
    async with FileCheckpointStore({"path": str(tmp_path / "data")}) as store:
        await save_secrets(store, encrypted=encrypted)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    kept += b"".join(map(b64decode, re.findall(rb'"payload":"([^"]*)"', kept)))
    assert (b"SECRET" not in kept) is encrypted


@pytest.mark.parametrize("encrypted", [True, False])
async def test_in_tables_nothing_of_encrypted_values_is_in_the_clear(
    postgres_url: str, new_schema: Callable[[], str], *, encrypted: bool
) -> None:
    schema = new_schema()
    async with PostgresCheckpointStore({"dsn": postgres_url, "schema": schema}) as store:
        await save_secrets(store, encrypted=encrypted)
    connection = await asyncpg.connect(postgres_url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", schema)
    rows = [row for (name,) in tables for row in await connection.fetch(f'SELECT * FROM "{schema}"."{name}"')]
    await connection.close()
    kept = b"".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    assert (b"SECRET" not in kept) is encrypted
