"""The table of operations, the abstract classes and the documentation name the same operations."""

import inspect
import re
from pathlib import Path

import pytest

from symphony_registry.backends.kinds import KINDS
from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.storage import BackendType, StorageBackend

DOCS = Path(__file__).parents[2] / "docs"
each_type = pytest.mark.parametrize("backend_type", BackendType, ids=str)


def section(page: str, heading: str) -> str:
    """Return what stands below a heading of a page."""
    _, _, rest = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    assert rest, f"{page} has no section {heading!r}"
    return rest.partition("\n## ")[0]


def documented(backend_type: BackendType) -> dict[str, bool]:
    """Return the operations in the contract's table, and whether each is marked as one that need not be written."""
    heading = backend_type.value.replace("_", " ").capitalize()
    rows = re.findall(r"^\| (○?) ?(`\w+\(.*?\)`.*?) \|", section("contract.md", heading), re.MULTILINE)
    return {name: mark == "○" for mark, cell in rows for name in re.findall(r"`(\w+)\(", cell)}


def public(kind: type[StorageBackend]) -> set[str]:
    """Return the operations that a class adds to those that all backends have."""
    return {
        name
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and not hasattr(StorageBackend, name)
    }


@each_type
def test_the_table_has_every_operation_of_the_abstract_class(backend_type: BackendType) -> None:
    assert public(KINDS[backend_type]) == OPERATIONS[backend_type].keys()


@each_type
def test_the_contract_documents_every_operation_and_marks_those_that_the_base_class_defines(
    backend_type: BackendType,
) -> None:
    abstract = KINDS[backend_type].__abstractmethods__
    assert documented(backend_type) == {name: name not in abstract for name in OPERATIONS[backend_type]}


@pytest.mark.parametrize(
    ("page", "row"),
    [
        ("contract.md", r"^\| lost connection \| .*? is sent once only: (.*?)\. "),
        ("postgresql.md", r"^\| all reads; .*? \| (.*?): "),
    ],
)
def test_the_documentation_names_the_operations_that_are_not_sent_twice(page: str, row: str) -> None:
    found = re.search(row, (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    single = {
        operation.name for table in OPERATIONS.values() for operation in table.values() if not operation.repeatable
    }
    assert set(re.findall(r"`(\w+)`", found[1])) == single


def test_the_documentation_of_postgresql_names_the_writes_that_may_be_sent_twice() -> None:
    found = re.search(r"^\| all reads; (.*?) \|", (DOCS / "postgresql.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    writes = {name for table in OPERATIONS.values() for name, operation in table.items() if operation.effect == "write"}
    assert set(re.findall(r"`(\w+)`", found[1])) == writes
