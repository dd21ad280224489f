"""What the log says, and what it never says."""

import logging
from pathlib import Path

import pytest

from symphony_registry import ServiceRegistry
from symphony_registry.backends.remote.attempts import persistently
from symphony_registry.errors import BackendErrorGroup


async def test_it_says_what_was_chosen_and_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "symphony_registry")
    (tmp_path / "base.yaml").write_text("vector_stores: {songs: {provider: memory}}\n")
    (tmp_path / "test.yaml").write_text("{}\n")
    async with ServiceRegistry.from_config("test", tmp_path):
        pass
    (chosen,) = (each.getMessage() for each in caplog.records if each.levelno == logging.INFO)
    assert chosen.startswith("Environment: test; files: ")
    assert str(tmp_path / "base.yaml") in chosen
    assert "vector_store songs (memory)" in chosen
    assert 'The vector_store "songs" (InMemoryVectorStore) opened in' in caplog.text


async def test_it_says_that_it_tries_again_and_never_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "symphony_registry")
    dsn = "postgresql://app:hunter2@127.0.0.1:1/app"
    options = {"dsn": dsn, "connect_timeout": 0.2}
    registry = ServiceRegistry.from_config(
        settings={"vector_stores": {"default": {"provider": "postgres", "options": options}}}
    )
    with pytest.raises(BackendErrorGroup):
        await registry.open()
    assert "connecting: ConnectionRefusedError, next attempt in" in caplog.text
    for record in caplog.records:
        assert "hunter2" not in f"{record.getMessage()} {record.exc_text} {record.args}"


async def test_a_retry_names_only_the_class_of_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "symphony_registry")
    failures = [ConnectionError("hunter2")]

    async def attempt() -> str:
        if failures:
            raise failures.pop()
        return "done"

    assert await persistently(attempt, lambda error: isinstance(error, OSError), 20, "The store: add") == "done"
    (record,) = caplog.records
    assert record.getMessage().startswith("The store: add: ConnectionError, next attempt in")
    assert "hunter2" not in f"{record.getMessage()} {record.exc_text} {record.args}"
