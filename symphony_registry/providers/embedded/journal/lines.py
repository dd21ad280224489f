"""The format of a journal: a JSON object a line, each with a checksum.

    {"crc":"8f7a1c22","seq":0,"format":"symphony-registry-journal","version":3,"kind":"vector_store"}
    {"crc":"03d1b6e9","seq":1,"more":true,"op":"put","id":"a","vector":"zczMPQ==","metadata":{}}
    {"crc":"5b0c7f10","seq":2,"part":1,"op":"put","id":"b","vector":"zcxMPg==","metadata":{}}
    {"crc":"c1f0a477","seq":3,"closed":true}

`crc` is the CRC-32 of the line's bytes from `"seq"` to the closing brace. `seq`
counts the lines, so that a missing one is noticed. The lines of one write are a
group, which counts as a whole or not at all: `part` is a line's place in it, and
`more` stands in all but the last. What a journal is made with is its first group,
the base. `closed` ends a journal that nobody has open.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
from pybase64 import b64decode, b64encode_as_string
from zlib_ng.zlib_ng import crc32

Record = dict[str, Any]
Float32s = npt.NDArray[np.float32]

FORMAT = "symphony-registry-journal"
VERSION = 3
OLD_VERSIONS = (2,)  # which are read, and rewritten before the first write

LARGE = ""
"""The key in a record of JSON text as it is to end the line, in parts: `(b',"data":', data)`."""

_CLOSING: Record = {"closed": True}
_PREFIX = b'{"crc":"'
_BODY = len(_PREFIX) + 8 + len(b'",')


class DamagedLineError(Exception):
    """The line is not what was written."""


class Line(NamedTuple):
    """A line that was read, and where it belongs."""

    sequence: int
    part: int
    more: bool
    record: Record

    @property
    def group(self) -> int:
        """The number of the first line of its group."""
        return self.sequence - self.part

    @property
    def closes(self) -> bool:
        """Whether it is the line that ends a journal."""
        return self.record == _CLOSING


def header(kind: str) -> Record:
    """Return the record of a journal's first line."""
    return {"format": FORMAT, "version": VERSION, "kind": kind}


def closing_line(sequence: int) -> bytes:
    """Return the line that ends a journal."""
    return b"".join(next(encode_group([_CLOSING], sequence)))


def encode_group(records: Iterable[Record], sequence: int) -> Iterator[tuple[bytes, ...]]:
    """Yield the lines of one group, in parts: what may be large is not copied. The first gets the number `sequence`."""
    waiting = enumerate(records)
    following = next(waiting, None)
    while following is not None:
        part, record = following
        following = next(waiting, None)
        numbered: Record = {"seq": sequence + part}
        if part:
            numbered["part"] = part
        if following is not None:
            numbered["more"] = True
        numbered.update(record)
        large = numbered.pop(LARGE, None)
        body: tuple[bytes, ...] = (orjson.dumps(numbered)[1:],)
        if large:
            body = (body[0][:-1], *large, b"}")
        checksum = 0
        for text in body:
            checksum = crc32(text, checksum)
        yield b'%s%08x",' % (_PREFIX, checksum), *body, b"\n"


def decode_line(line: bytes) -> Line:
    """Return what a line holds; raises `DamagedLineError`."""
    body = line[_BODY:].removesuffix(b"\n")
    if line[: len(_PREFIX)] != _PREFIX or line[len(_PREFIX) : _BODY] != b'%08x",' % crc32(body):
        raise DamagedLineError("its checksum does not match")
    try:
        record: Record = orjson.loads(b"{" + body)
    except orjson.JSONDecodeError as error:
        raise DamagedLineError("it is not JSON") from error
    sequence, part = record.pop("seq", None), record.pop("part", 0)
    if type(sequence) is not int or type(part) is not int:
        raise DamagedLineError("it has no number")
    return Line(sequence, part, record.pop("more", False), record)


def encode_vector(vector: Float32s) -> str:
    """Return a vector as base64 of little-endian float32."""
    return b64encode_as_string(vector.astype("<f4", copy=False).tobytes())


def decode_vector(text: str) -> Float32s:
    """Return the vector that `encode_vector` wrote."""
    return np.frombuffer(b64decode(text, validate=True), "<f4").astype(np.float32, copy=False)
