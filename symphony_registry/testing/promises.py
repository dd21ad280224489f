"""What a sentence of the contract may need a provider to promise."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias

from symphony_registry.backends.storage import BackendType, StorageBackend

Promise: TypeAlias = Literal[
    "survives a crash",
    "shared storage",
    "exclusive storage",
    "atomic bulk operations",
    "exact search",
    "a free dimension",
    "filters",
    "listing entities",
    "restored timestamps",
    "saving several",
    "values of a megabyte",
    "a largest value",
    "a largest limit",
]

_MEGABYTE = 1_000_000
# A graph alone may be unable to list what it holds.
_MADE: Mapping[Promise, Callable[[StorageBackend], bool]] = {
    "survives a crash": lambda store: store.guarantees.persists,
    "shared storage": lambda store: store.guarantees.shared,
    "exclusive storage": lambda store: store.guarantees.exclusive,
    "atomic bulk operations": lambda store: store.guarantees.atomic_bulk,
    "exact search": lambda store: store.guarantees.exact_search,
    "a free dimension": lambda store: store.guarantees.free_dimension,
    "filters": lambda store: store.guarantees.filters,
    "listing entities": lambda store: (
        store.backend_type is not BackendType.KNOWLEDGE_GRAPH or store.guarantees.lists_entities
    ),
    "restored timestamps": lambda store: store.guarantees.restores_timestamps,
    "saving several": lambda store: store.guarantees.saves_several,
    "values of a megabyte": lambda store: (store.guarantees.largest_value or _MEGABYTE) >= _MEGABYTE,
    "a largest value": lambda store: store.guarantees.largest_value is not None,
    "a largest limit": lambda store: store.guarantees.largest_limit is not None,
}


class NotPromised(Exception):  # noqa: N818 - not an error
    """The provider does not promise what the sentence needs; the message names the promise."""


def require(needs: Iterable[Promise], store: StorageBackend) -> None:
    """Raise `NotPromised` unless an open backend promises everything that is needed."""
    missing = [promise for promise in needs if not _MADE[promise](store)]
    if missing:
        raise NotPromised(", ".join(missing))
