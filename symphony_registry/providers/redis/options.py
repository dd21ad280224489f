"""The options that every Redis provider has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from symphony_registry.backends.options import BackendOptions, Seconds, StrictModel
from symphony_registry.providers.redis.address import Address, read_url


class Replicated(StrictModel):
    """Durability on several servers."""

    replicated: int = Field(ge=1, description="Replicas whose disk a write waits for, besides the server's own.")


class RedisOptions(BackendOptions):
    """Where the server is, how to speak to it, which keys are ours, and what a write waits for."""

    url: SecretStr = Field(description="redis://user:password@host:port/0", examples=["${REDIS_URL}"])
    prefix: str = Field(
        default="symphony", min_length=1, max_length=200, description="What the names of all keys begin with."
    )
    durability: Literal["full", "none"] | Replicated = Field(
        default="full",
        description="What a write waits for: the disk (full), replicas' disks too (replicated: N), or nothing (none).",
    )
    sentinel_master: str | None = Field(
        default=None, min_length=1, description="The name of the master, where the URL leads to Sentinels."
    )
    sentinel_password: SecretStr | None = Field(default=None, description="The password of the Sentinels themselves.")
    pool_max_size: int = Field(default=10, ge=1, description="Connections that may be open.")
    connect_timeout: Seconds = Field(default=10.0, description="Seconds to wait for the server, also when it restarts.")
    timeout: Seconds = Field(default=30.0, description="Seconds that an operation may take.")
    tls_ca_file: Path | None = Field(default=None, description="Certificates to trust; default: the system's.")
    tls_cert_file: Path | None = Field(default=None, description="Our own certificate, where the server asks for it.")
    tls_key_file: Path | None = Field(default=None, description="The key of our certificate.")
    create: bool = Field(default=True, description="Begin a store where there is none; false: only check it.")

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretStr) -> SecretStr:
        read_url(url.get_secret_value())
        return url

    @field_validator("durability", mode="before")
    @classmethod
    def _check_durability(cls, durability: object) -> object:
        if isinstance(durability, str) and durability.startswith("{"):  # from a variable of the environment
            return Replicated.model_validate_json(durability)
        if not isinstance(durability, Mapping | Replicated) and durability not in ("full", "none"):
            raise ValueError("full, none, or replicated: N under it is expected here")
        return durability

    @field_validator("prefix")
    @classmethod
    def _check_prefix(cls, prefix: str) -> str:
        if set(prefix) & set("{}*?[]\\\0") or any(letter.isspace() for letter in prefix):
            raise ValueError("a prefix has no braces, brackets, spaces, *, ? or backslashes: rules of access name it")
        return prefix

    @model_validator(mode="after")
    def _check_together(self) -> "RedisOptions":
        given = (self.tls_ca_file, self.tls_cert_file, self.tls_key_file)
        if any(given) and not self.address.tls:
            raise ValueError("certificates are for rediss://")
        return self

    @property
    def address(self) -> Address:
        """What the URL means."""
        return read_url(self.url.get_secret_value())

    @property
    def replicas(self) -> int:
        """The number of replicas whose disk a write waits for."""
        return self.durability.replicated if isinstance(self.durability, Replicated) else 0

    @property
    def server(self) -> str:
        """The product and the host, for messages."""
        return f"Redis at {self.address}"
