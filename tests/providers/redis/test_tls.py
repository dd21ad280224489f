"""`rediss://`: the server's certificate is checked, and our own is shown where it is asked for."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from symphony_registry.errors import BackendSetupError, InvalidValueError
from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore
from tests.helpers.redis_cases import Line
from tests.helpers.redis_server import Server


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def url(server: Server, authority: trustme.CA) -> AsyncIterator[str]:
    """Yield a URL behind which everybody has to show a certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    async with Line(server.port, context).open() as line:
        yield line.url


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, Path]:
    """Return the options for a client that the server trusts."""
    names = {"tls_ca_file": "ca.pem", "tls_cert_file": "cert.pem", "tls_key_file": "key.pem"}
    paths = {option: tmp_path / name for option, name in names.items()}
    own = authority.issue_cert("client")
    authority.cert_pem.write_to_path(paths["tls_ca_file"])
    own.cert_chain_pems[0].write_to_path(paths["tls_cert_file"])
    own.private_key_pem.write_to_path(paths["tls_key_file"])
    return paths


async def test_a_store_is_used_over_tls(url: str, options: dict[str, Any], files: dict[str, Path]) -> None:
    async with RedisCheckpointStore({**options, "url": url, **files}) as store:
        await store.save_checkpoint("a", {"x": 1})
        assert await store.count() == 1


async def test_a_server_that_nobody_trusts_is_refused(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(BackendSetupError, match="tls_ca_file"):
        await RedisCheckpointStore({**options, "url": url}).connect()


async def test_certificates_without_tls_are_refused(options: dict[str, Any], files: dict[str, Path]) -> None:
    with pytest.raises(InvalidValueError, match="rediss"):
        RedisCheckpointStore({**options, **files})
