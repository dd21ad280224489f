"""The page of each engine says what its options are."""

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from symphony_registry.backends.options import BackendOptions, fields_of
from symphony_registry.providers.postgres.vector_sql import PostgresVectorOptions
from symphony_registry.providers.redis.vector_options import RedisVectorOptions

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, type[BackendOptions]] = {"postgresql.md": PostgresVectorOptions, "redis.md": RedisVectorOptions}
# What stands on a page for a default that a word cannot be computed of.
COMPUTED = {
    "dimension": "the first vector's",
    "table_prefix": "the backend's name and `_`",
    "tls_ca_file": "the system's",
}


def documented(page: str) -> dict[str, str]:
    """Return the rows of the tables of options: their names, and their defaults."""
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([^|]*?) ?\| ", (DOCS / page).read_text(), re.MULTILINE)
    return {
        name: default
        for names, defaults in rows
        for name, default in zip(re.findall(r"`(\w+)`", names), defaults.split(", "), strict=False)
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_option_is_on_the_page(page: str) -> None:
    assert documented(page).keys() >= fields_of(PAGES[page]).keys()


@pytest.mark.parametrize(("page", "name"), [(page, name) for page, model in PAGES.items() for name in fields_of(model)])
def test_the_page_has_the_default_of_an_option(page: str, name: str) -> None:
    assert documented(page)[name] == _shown(name, fields_of(PAGES[page])[name])


def _shown(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return ""
    if field.default is None:
        return COMPUTED.get(name, "not set")
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"
