"""The page on PostgreSQL says what the options are."""

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from symphony_registry.backends.options import fields_of
from symphony_registry.providers.postgres.vector_sql import PostgresVectorOptions

PAGE = (Path(__file__).parents[3] / "docs" / "postgresql.md").read_text()
OPTIONS = fields_of(PostgresVectorOptions)
# Rows of the tables of options: their names, and their defaults.
DOCUMENTED = {
    name: default
    for names, defaults in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([^|]*?) ?\| ", PAGE, re.MULTILINE)
    for name, default in zip(re.findall(r"`(\w+)`", names), defaults.split(", "), strict=False)
}


def test_every_option_is_on_the_page() -> None:
    assert DOCUMENTED.keys() >= OPTIONS.keys()


@pytest.mark.parametrize("name", OPTIONS)
def test_the_page_has_the_default_of_an_option(name: str) -> None:
    assert DOCUMENTED[name] == _shown(name, OPTIONS[name])


def _shown(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return ""
    if field.default is None:  # which stands for something that a word cannot be computed of
        return {"dimension": "the first vector's", "table_prefix": "the backend's name and `_`"}[name]
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"
