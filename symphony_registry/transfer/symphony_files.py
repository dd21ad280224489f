"""What the file backends of the Symphony framework have written: a JSON file an item."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import InvalidTypeError, InvalidValueError, StorageError, StorageFormatError
from symphony_registry.transfer.collection import Collection, StoredItem
from symphony_registry.transfer.handwritten import HandWritten
from symphony_registry.transfer.kinds import COLLECTIONS

_OPTIONAL: dict[str, JSONObject] = {"metadata": {}, "properties": {}}
_METADATA = "metadata"  # of checkpoints, in a folder beside their data
_NEXT = "The framework passes over files that it cannot read: correct this one or move it away, then run this again."


class SymphonyFiles:
    """The items in a directory of the framework's `FileVectorStore`, `FileKnowledgeGraph` or `FileCheckpointStore`.

    Its folders are called as our collections are.
    """

    def __init__(self, directory: Path, backend_type: BackendType) -> None:
        """Read and check everything.

        Raises `StorageFormatError` where the directory is none of that type, or for
        the first file that holds no item, or another than its name says.
        """
        self.backend_type = backend_type
        self._directory = directory
        collections = COLLECTIONS[backend_type]
        if not (directory / collections[0].name).is_dir():
            raise self._other_directory(collections[0].name)
        ids = HandWritten()
        self._files = {collection.name: self._sorted_files(collection, ids) for collection in collections}

    async def read(self, collection: Collection[Any]) -> AsyncIterator[StoredItem]:
        """Yield the items of a collection in their order; that of checkpoints is by their timestamps."""
        for path in self._files[collection.name]:
            yield self._read_item(path, collection)[0]

    async def count(self, collection: Collection[Any]) -> int:
        """Return how many items a collection has."""
        return len(self._files[collection.name])

    def _sorted_files(self, collection: Collection[Any], ids: HandWritten) -> list[Path]:
        found = []
        before: StoredItem | None = None
        for path in _json_files(self._directory / collection.name):
            item, text = self._read_item(path, collection)
            try:
                collection.check(item, before)
                ids.check(collection, item, text)
            except (InvalidTypeError, InvalidValueError) as error:
                raise _wrong(path, str(error)) from None
            stem = "--".join(collection.key(item))
            if path.name != f"{stem}.json":
                raise _wrong(path, f"it holds {stem!r}, which is not what it is called")
            before = item
            found.append(((() if collection.by_key else item["metadata"]["timestamp"], collection.key(item)), path))
        if self.backend_type is BackendType.CHECKPOINT_STORE:
            self._check_no_data_is_missing()
        return [path for _, path in sorted(found)]

    def _check_no_data_is_missing(self) -> None:
        for path in _json_files(self._directory / _METADATA):
            if not (self._directory / "checkpoints" / path.name).exists():
                raise _wrong(path, "the checkpoint has no data: it was being deleted, or its file is lost")

    def _read_item(self, path: Path, collection: Collection[Any]) -> tuple[StoredItem, bytes]:
        """Return an item as our stores have it, and its JSON."""
        if self.backend_type is BackendType.CHECKPOINT_STORE:
            return self._read_checkpoint(path)
        value, text = _read_object(path)
        item = {**{key: empty for key, empty in _OPTIONAL.items() if key in collection.fields}, **value}
        if item.keys() != set(collection.fields):
            raise _wrong(path, f"it has the keys {', '.join(value) or 'none'}, not {', '.join(collection.fields)}")
        return item, text

    def _read_checkpoint(self, path: Path) -> tuple[StoredItem, bytes]:
        """Return a checkpoint; one whose saving was interrupted has no metadata, and counts as the oldest."""
        data, text = _read_object(path)
        described: JSONObject = {"checkpoint_id": path.stem, "timestamp": 0.0}
        more = b"{}"
        if (beside := self._directory / _METADATA / path.name).exists():
            metadata, more = _read_object(beside)
            described |= metadata
        return {"checkpoint_id": path.stem, "data": data, "metadata": described}, b"[%b,%b]" % (text, more)

    def _other_directory(self, folder: str) -> StorageFormatError:
        kinds = [kind for kind in BackendType if (self._directory / COLLECTIONS[kind][0].name).is_dir()]
        advice = f"It holds a {kinds[0]}." if kinds else "Name the path that the framework's backend was given."
        return StorageFormatError(
            f"{self._directory} has no folder {folder!r}, as the framework's {self.backend_type} has. {advice}",
            self._directory,
        )


def _json_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(".json")) if folder.is_dir() else []
    except OSError as error:
        raise StorageError(f"{folder} could not be read: {error.strerror}.", folder) from error


def _read_object(path: Path) -> tuple[JSONObject, bytes]:
    try:
        text = path.read_bytes()
        value = orjson.loads(text)
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error.strerror}.", path) from error
    except orjson.JSONDecodeError as error:
        raise _wrong(path, f"this is not JSON: {error}") from None
    if type(value) is not dict:
        raise _wrong(path, "this is not a JSON object")
    return value, text


def _wrong(path: Path, reason: str) -> StorageFormatError:
    return StorageFormatError(f"{path}: {reason.rstrip('.')}. {_NEXT}", path)
