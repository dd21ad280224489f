"""A store as JSON lines: a header, a record a line in the store's order, and a last line that tells what was written.

The same for every provider, and for equal stores the same to the byte.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import ExportFormatError, InvalidTypeError, InvalidValueError
from symphony_registry.transfer.comparing import STEP
from symphony_registry.transfer.contents import Contents, left_early
from symphony_registry.transfer.digest import Digest
from symphony_registry.transfer.handwritten import HandWritten, has_digest
from symphony_registry.transfer.progress import Progress, Stage, silent
from symphony_registry.transfer.sections import SECTIONS, Key, Record, Section, shown

FORMAT, VERSION = "symphony-registry", 1


@dataclass(frozen=True)
class Exported:
    """What an export holds: the number of its records, and the digest that a comparison gives of them."""

    count: int
    digest: str


async def write_lines(source: Contents, file: BinaryIO, progress: Progress = silent) -> Exported:
    """Write everything that `source` holds, and return what the last line says."""
    digest = Digest()
    done = 0
    header = {"format": FORMAT, "version": VERSION, "type": source.backend_type}
    file.write(orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE))
    for section in SECTIONS[source.backend_type]:
        async with left_early(source.read(section)) as records:
            async for record in records:
                file.write(section.line(record))
                digest.add(section.canonical(record))
                done += 1
                if done % STEP == 0:
                    progress(Stage.COPY, done)
    exported = Exported(done, str(digest))
    file.write(orjson.dumps(exported, option=orjson.OPT_APPEND_NEWLINE))
    progress(Stage.COPY, done)
    return exported


@dataclass
class _Span:
    """Where the lines of a section stand."""

    offset: int = 0
    count: int = 0


class ExportFile:
    """The records of an exported file, which was read to its end and found whole."""

    def __init__(self, file: BinaryIO, name: str, backend_type: BackendType) -> None:
        """Read and check all of a file that can be read again.

        Raises `ExportFormatError` for the first line that is wrong, also where the
        lines are not all there or hold something else than when they were written.
        A file without a digest is one that was written by hand: the ids in it are
        remembered meanwhile, to find what no store would hold.
        """
        self.backend_type = backend_type
        self._file, self._name = file, name
        self._sections = SECTIONS[backend_type]
        self._spans = {section.name: _Span() for section in self._sections}
        self._line = 0
        self._dimension: int | None = None
        self._check()

    async def read(self, section: Section[Any]) -> AsyncIterator[Record]:
        """Yield the records of a section in their order."""
        span = self._spans[section.name]
        offset = span.offset
        for _ in range(span.count):
            self._file.seek(offset)  # somebody else may read meanwhile
            text = self._file.readline()
            offset += len(text)
            yield orjson.loads(text)

    async def count(self, section: Section[Any]) -> int:
        """Return how many records a section has."""
        return self._spans[section.name].count

    def _check(self) -> None:
        by_hand = None if has_digest(self._file) else HandWritten()
        lines = self._lines()
        self._check_header(next(lines, (0, b"", {}))[2])
        digest = Digest()
        current, last = 0, None
        for offset, text, record in lines:
            if "count" in record:
                self._check_end(record, digest)
                if next(lines, None) is not None:
                    raise self._wrong("there is something after the last line")
                return
            number = self._number_of(record)
            section = self._sections[number]
            if number < current:
                raise self._wrong(f"the {section.name} stand before the {self._sections[current].name}")
            key = self._checked_key(section, record)
            if section.by_key and number == current and last is not None and key <= last:
                raise self._wrong(
                    f"{shown(key)} stands after {shown(last)}: the {section.name} come by their ids, each once"
                )
            if by_hand is not None:
                self._check_by_hand(by_hand, section, record, text)
            current, last = number, key
            span = self._spans[section.name]
            span.offset = span.offset or offset
            span.count += 1
            digest.add(section.canonical(record))
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
        if header.get("version") != VERSION:
            raise self._wrong(f"the export has the version {header.get('version')!r}; this package reads {VERSION}")
        if header.get("type") != self.backend_type:
            raise self._wrong(f"the file holds a {header.get('type')}, not a {self.backend_type}")

    def _check_end(self, end: JSONObject, digest: Digest) -> None:
        count = sum(span.count for span in self._spans.values())
        if end["count"] != count:
            raise self._wrong(f"the file was written with {end['count']} records, and holds {count}")
        if end.get("digest", str(digest)) != str(digest):
            raise self._wrong("the digest of the records is another: the file was changed after it was written")

    def _number_of(self, record: JSONObject) -> int:
        for number, section in enumerate(self._sections):
            if record.keys() == set(section.fields):
                return number
        known = " or ".join(", ".join(section.fields) for section in self._sections)
        raise self._wrong(f"a line has the keys {known}, and not {', '.join(record) or 'none'}")

    def _checked_key(self, section: Section[Any], record: JSONObject) -> Key:
        try:
            section.check(record)
        except (InvalidTypeError, InvalidValueError) as error:
            raise self._wrong(str(error)) from None
        if "vector" in section.fields:
            dimension = self._dimension = self._dimension or len(record["vector"])
            if len(record["vector"]) != dimension:
                raise self._wrong(f"the vector has dimension {len(record['vector'])}, those before it {dimension}")
        return section.key(record)

    def _check_by_hand(self, found: HandWritten, section: Section[Any], record: JSONObject, text: bytes) -> None:
        try:
            found.check(section, record, text)
        except InvalidValueError as error:
            raise self._wrong(str(error)) from None

    def _wrong(self, reason: str) -> ExportFormatError:
        return ExportFormatError(self._name, max(1, self._line), reason.rstrip(".") + ".")
