"""A store as JSON lines: a header, an item a line in the store's order, and a last line that says what was written.

The same for every provider, and for equal stores the same to the byte.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import ExportFormatError, InvalidTypeError, InvalidValueError
from symphony_registry.transfer.collection import Collection, StoredItem, shown
from symphony_registry.transfer.comparing import STEP
from symphony_registry.transfer.contents import Contents
from symphony_registry.transfer.digest import Digest
from symphony_registry.transfer.handwritten import HandWritten, has_digest
from symphony_registry.transfer.kinds import COLLECTIONS
from symphony_registry.transfer.progress import Progress, Stage, silent
from symphony_registry.transfer.scanning import left_early

FORMAT, VERSION = "symphony-registry", 2
OLD_VERSIONS = (1,)  # which had no payloads


@dataclass(frozen=True)
class Exported:
    """What an export holds: the number of its items, and the digest that a comparison gives of them."""

    count: int
    digest: str


async def write_lines(source: Contents, file: BinaryIO, progress: Progress = silent) -> Exported:
    """Write everything that `source` holds, and return what the last line says."""
    digest = Digest()
    done = 0
    header = {"format": FORMAT, "version": VERSION, "type": source.backend_type}
    file.write(orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE))
    for collection in COLLECTIONS[source.backend_type]:
        async with left_early(source.read(collection)) as items:
            async for item in items:
                file.write(collection.line(item))
                digest.add(collection.canonical(item))
                done += 1
                if done % STEP == 0:
                    progress(Stage.COPY, done)
    exported = Exported(done, str(digest))
    file.write(orjson.dumps(exported, option=orjson.OPT_APPEND_NEWLINE))
    progress(Stage.COPY, done)
    return exported


@dataclass
class _Span:
    """Where the lines of a collection are."""

    offset: int = 0
    count: int = 0


class ExportFile:
    """The items of an exported file, which was read to its end and found whole."""

    def __init__(self, file: BinaryIO, name: str, backend_type: BackendType) -> None:
        """Read and check all of a file that can be read again.

        Raises `ExportFormatError` for the first line that is wrong, also where the
        lines are not all there or hold something else than when they were written.
        A file without a digest is one that was written by hand: the ids in it are
        remembered until it was read, to find what no store would hold.
        """
        self.backend_type = backend_type
        self._file, self._name = file, name
        self._collections = COLLECTIONS[backend_type]
        self._spans = {collection.name: _Span() for collection in self._collections}
        self._line = 0
        self._check()

    async def read(self, collection: Collection[Any]) -> AsyncIterator[StoredItem]:
        """Yield the items of a collection in their order."""
        span = self._spans[collection.name]
        offset = span.offset
        for _ in range(span.count):
            self._file.seek(offset)  # somebody else may have read in between
            text = self._file.readline()
            offset += len(text)
            yield collection.parsed(orjson.loads(text))

    async def count(self, collection: Collection[Any]) -> int:
        """Return how many items a collection has."""
        return self._spans[collection.name].count

    def _check(self) -> None:
        by_hand = None if has_digest(self._file) else HandWritten()
        lines = self._lines()
        self._check_header(next(lines, (0, b"", {}))[2])
        digest = Digest()
        current = 0
        before: StoredItem | None = None  # in the same collection
        for offset, text, line in lines:
            if "count" in line:
                self._check_end(line, digest)
                if next(lines, None) is not None:
                    raise self._wrong("there is something after the last line")
                return
            number = self._number_of(line)
            collection = self._collections[number]
            if number < current:
                raise self._wrong(f"the {collection.name} come before the {self._collections[current].name}")
            if number > current:
                current, before = number, None
            try:
                item = collection.parsed(line)
                _check_item(collection, item, before)
                if by_hand is not None:
                    by_hand.check(collection, item, text)
            except (InvalidTypeError, InvalidValueError) as error:
                raise self._wrong(str(error)) from None
            before = item
            span = self._spans[collection.name]
            span.offset = span.offset or offset
            span.count += 1
            digest.add(collection.canonical(item))
        raise self._wrong("the file ends here, without the line that has the count: it was cut off")

    def _lines(self) -> Iterator[tuple[int, bytes, JSONObject]]:
        """Yield the JSON object of each line, after the line and where it begins."""
        offset = self._file.seek(0)
        for text in self._file:
            self._line += 1
            try:
                value = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                reason = f"this is not JSON: {error}" if text.endswith(b"\n") else "the file was cut off in this line"
                raise self._wrong(reason) from None
            if type(value) is not dict:
                raise self._wrong("this is not a JSON object")
            yield offset, text, value
            offset += len(text)

    def _check_header(self, header: JSONObject) -> None:
        if header.get("format") != FORMAT:
            raise self._wrong(f'this is not an export: the first line must have "format": "{FORMAT}"')
        if header.get("version") not in (VERSION, *OLD_VERSIONS):
            raise self._wrong(
                f"the export has the version {header.get('version')!r}; this package reads versions up to {VERSION}"
            )
        if header.get("type") != self.backend_type:
            raise self._wrong(f"the file holds a {header.get('type')}, not a {self.backend_type}")

    def _check_end(self, end: JSONObject, digest: Digest) -> None:
        count = sum(span.count for span in self._spans.values())
        if end["count"] != count:
            raise self._wrong(f"the file was written with {end['count']} items, but has {count}")
        if end.get("digest", str(digest)) != str(digest):
            raise self._wrong("the digest does not match the items: the file was changed after it was written")

    def _number_of(self, item: JSONObject) -> int:
        for number, collection in enumerate(self._collections):
            if set(collection.fields) <= item.keys() <= {*collection.fields, *collection.optional}:
                return number
        known = " or ".join(", ".join(collection.fields) for collection in self._collections)
        raise self._wrong(f"a line has the keys {known}, and not {', '.join(item) or 'none'}")

    def _wrong(self, reason: str) -> ExportFormatError:
        return ExportFormatError(self._name, max(1, self._line), reason.rstrip(".") + ".")


def _check_item(collection: Collection[Any], item: StoredItem, before: StoredItem | None) -> None:
    collection.check(item, before)
    if before is None or not collection.by_key:
        return
    key, last = collection.key(item), collection.key(before)
    if key <= last:
        raise InvalidValueError(
            f"{shown(key)} comes after {shown(last)}: the {collection.name} are in the order of their ids, each once"
        )
