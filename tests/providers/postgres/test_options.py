"""What a DSN may look like, and what is told of it."""

import pytest
from pydantic import ValidationError

from symphony_registry.providers.postgres.options import PostgresOptions


@pytest.mark.parametrize(
    ("dsn", "server"),
    [
        ("postgresql://me:secret@db.example:5433/agents", "PostgreSQL at db.example:5433, database agents"),
        ("postgres://me:p%40ss%2F@db/agents", "PostgreSQL at db, database agents"),
        ("postgresql://me:a,b:c@one,two:5433/agents", "PostgreSQL at one,two:5433, database agents"),
        ("postgresql://me:p@ss@db/agents", "PostgreSQL at db, database agents"),
        ("postgresql://[::1]:5432/agents", "PostgreSQL at [::1]:5432, database agents"),
        ("postgresql://me@/agents?host=/run/postgresql", "PostgreSQL at /run/postgresql, database agents"),
        ("postgresql://", "PostgreSQL at localhost, database the default database"),
        ("postgresql://me@/?hostaddr=::1&dbname=agents", "PostgreSQL at ::1, database agents"),
    ],
)
def test_the_server_of_a_dsn_is_told_without_user_and_password(dsn: str, server: str) -> None:
    assert PostgresOptions(dsn=dsn).server == server  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "dsn",
    [
        "jdbc:postgresql://db/agents?user=me&password=secret",
        "postgresql://me:sec/ret@db/agents",
        "postgresql://me:sec#ret@db/agents",
        "postgresql://me:sec?ret@db/agents",
        "postgresql://me:12/ret@db/agents",
        "postgresql://me:sec@x?ret@db/agents",
        "mysql://me:secret@db/agents",
        "host=db password=secret",
    ],
)
def test_a_dsn_that_cannot_be_told_apart_is_refused_and_not_shown(dsn: str) -> None:
    with pytest.raises(ValidationError, match="special characters as %40") as refused:
        PostgresOptions(dsn=dsn)  # type: ignore[arg-type]
    assert "sec" not in str(refused.value)
    assert "ret" not in str(refused.value).replace("secret", "")
