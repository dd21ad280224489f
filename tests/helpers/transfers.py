"""Stores with everything in them that moving could spoil, and what a test asks of them."""

from pathlib import Path
from typing import Any

from symphony_registry.backends import BackendType, StorageBackend, StorageBackendFactory

HOSTILE: dict[str, Any] = {
    "int": 1, "float": 1.0, "large": 2**63 - 1, "small": 5e-324, "zero": -0.0, "near": -0.05, "true": True,
    "null": None, "nul\0": "a\0b", "text": 'é "\\\n\u2028\U00010000', "deep": {"b": [1, [2.0, {"a": []}]], "a": {}},
}  # fmt: skip
IDS = ["../x", "A", "a", "é", "'; --", "\uffff", "\U00010000", "1", "10", "9"]


async def filled(store: StorageBackend, more: int = 0) -> Any:
    """Return the open store with items under all `IDS`, and as many `more`."""
    filling: Any = store
    ids = [*IDS, *(f"id-{number:04}" for number in range(more))]
    match store.backend_type:
        case BackendType.VECTOR_STORE:
            await filling.add_many(
                [(id, [0.1, -0.0, 1e-40, float(n)], {**HOSTILE, "n": n}) for n, id in enumerate(ids)]
            )
        case BackendType.KNOWLEDGE_GRAPH:
            await filling.add_entities([(id, "É" if n % 2 else "T", {**HOSTILE, "n": n}) for n, id in enumerate(ids)])
            await filling.add_relations([(id, ids[n // 2], "R", {"n": n, **HOSTILE}) for n, id in enumerate(ids)])
        case BackendType.CHECKPOINT_STORE:
            payloads = [None, b"", bytes(range(256))]
            items = [(id, {**HOSTILE, "n": n}, HOSTILE, 1e9 - n + 0.1, payloads[n % 3]) for n, id in enumerate(ids)]
            await filling.restore_checkpoints(items)
    return filling


def store_of(backend_type: BackendType, provider: str = "memory", path: Path | None = None, **options: Any) -> Any:
    """Return a new store, not open."""
    if path is not None:
        options["path"] = path / backend_type
    return StorageBackendFactory.build(backend_type, provider, "default", options)


async def everything(store: Any) -> list[Any]:
    """Return all that a store gives, in its order, without the versions of checkpoints, which are its own."""
    scans = [store.scan_entities, store.scan_relations] if hasattr(store, "scan_entities") else [store.scan]
    return [without_version(item) for scan in scans async for item in scan()]


def without_version(item: Any) -> Any:
    """Return an item without what a checkpoint store counts."""
    return {key: value for key, value in item.items() if key != "version"}
