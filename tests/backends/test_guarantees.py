"""Guarantees: what the contract says of each, and what the shipped providers promise."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.providers.postgres.vector_store import PostgresVectorStore

CONTRACT = Path(__file__).parents[2] / "docs" / "contract.md"


def test_the_contract_documents_each_guarantee_with_its_default() -> None:
    section = CONTRACT.read_text(encoding="utf-8").partition("\n## Guarantees\n")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", section, re.MULTILINE))
    assert documented == {field.name: str(field.default) for field in fields(Guarantees)}


def test_what_survives_is_there_after_disconnect() -> None:
    assert [Guarantees(survives=each).persists for each in ("nothing", "crash", "power loss")] == [False, True, True]


def test_memory_promises_that_nothing_survives() -> None:
    assert not InMemoryVectorStore().guarantees.persists


@pytest.mark.parametrize(("durability", "survives"), [("full", "power loss"), ("os", "crash")])
def test_a_file_survives_what_its_durability_says_and_is_exclusive(
    durability: str, survives: str, tmp_path: Path
) -> None:
    guarantees = FileVectorStore({"path": str(tmp_path), "durability": durability}).guarantees
    assert (guarantees.survives, guarantees.exclusive, guarantees.shared) == (survives, True, False)


@pytest.mark.parametrize(
    ("options", "promised"),
    [
        ({}, {"exact_search": True, "free_dimension": True, "precision": "float32"}),
        ({"storage": "halfvec"}, {"exact_search": True, "free_dimension": True, "precision": "float16"}),
        (
            {"index": "hnsw", "dimension": 3},
            {"exact_search": False, "free_dimension": False, "precision": "float32"},
        ),
    ],
)
def test_postgres_promises_what_its_storage_and_index_can_keep(
    options: dict[str, Any], promised: dict[str, object]
) -> None:
    guarantees = PostgresVectorStore({"dsn": "postgresql://localhost/none", **options}).guarantees
    assert guarantees.shared
    assert not guarantees.exclusive
    assert {name: getattr(guarantees, name) for name in promised} == promised
