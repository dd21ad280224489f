"""The options that every PostgreSQL provider has."""

from pydantic import Field, SecretStr, field_validator, model_validator

from symphony_registry.backends.options import BackendOptions, Seconds
from symphony_registry.providers.postgres.dsn import Dsn, read_dsn

# PostgreSQL cuts longer names without a word.
MAX_NAME_BYTES = 63


class PostgresOptions(BackendOptions):
    """Where the server is, how to speak to it, and which tables are ours."""

    dsn: SecretStr = Field(description="postgresql://user:password@host:port/database", examples=["${DATABASE_URL}"])
    schema_name: str = Field(
        default="symphony", alias="schema", min_length=1, description="The schema of the tables; made where missing."
    )
    table_prefix: str | None = Field(
        default=None, description="What the names of the tables begin with; default: the backend's name and _."
    )
    pool_min_size: int = Field(default=0, ge=0, description="Connections that are kept open when nobody asks.")
    pool_max_size: int = Field(default=10, ge=1, description="Connections that may be open.")
    connect_timeout: Seconds = Field(default=10.0, description="Seconds to wait for the server, also when it restarts.")
    statement_timeout: Seconds = Field(default=30.0, description="Seconds that a statement may take.")
    create: bool = Field(default=True, description="Make schema, extension and tables; false: only check them.")

    @field_validator("dsn")
    @classmethod
    def _check_dsn(cls, dsn: SecretStr) -> SecretStr:
        read_dsn(dsn.get_secret_value())
        return dsn

    @field_validator("schema_name", "table_prefix")
    @classmethod
    def _check_name(cls, name: str | None) -> str | None:
        if name is not None and ("\0" in name or len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES):
            raise ValueError(f"a name in PostgreSQL has at most {MAX_NAME_BYTES} bytes, and no U+0000")
        return name

    @model_validator(mode="after")
    def _check_sizes(self) -> "PostgresOptions":
        if self.pool_min_size > self.pool_max_size:
            raise ValueError("pool_min_size is larger than pool_max_size")
        return self

    @property
    def address(self) -> Dsn:
        """What the DSN means."""
        return read_dsn(self.dsn.get_secret_value())

    @property
    def patience(self) -> float:
        """Seconds to wait for the server: what the option says, else the DSN."""
        said = None if "connect_timeout" in self.model_fields_set else self.address.connect_timeout
        return self.connect_timeout if said is None else said

    @property
    def server(self) -> str:
        """The host and the database, for messages."""
        return f"PostgreSQL at {self.address.host}, database {self.address.database}"
