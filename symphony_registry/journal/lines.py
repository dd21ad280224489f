"""The format of a journal: a JSON object a line, each with a checksum.

    {"crc":"8f7a1c22","seq":0,"format":"symphony-registry-journal","version":1,"kind":"vector_store"}
    {"crc":"03d1b6e9","seq":1,"more":true,"op":"put","id":"a","vector":"zczMPQ==","metadata":{}}
    {"crc":"5b0c7f10","seq":2,"op":"put","id":"b","vector":"zcxMPg==","metadata":{}}

`crc` is the CRC-32 of the line's bytes from `"seq"` to the closing brace. `seq`
counts the lines, so that a missing one is noticed. Lines with `more` belong to
one group with the next line: a group counts as a whole or not at all.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

Record = dict[str, Any]

FORMAT = "symphony-registry-journal"
VERSION = 1

_PREFIX = b'{"crc":"'
_BODY = len(_PREFIX) + 8 + len(b'",')


class DamagedLineError(Exception):
    """The line is not what was written."""


def header(kind: str) -> Record:
    """Return the record of a journal's first line."""
    return {"format": FORMAT, "version": VERSION, "kind": kind}


def encode_group(records: Sequence[Record], sequence: int) -> bytes:
    """Return the lines of one group; the first gets the number `sequence`."""
    last = len(records) - 1
    lines = []
    for index, record in enumerate(records):
        numbered = {"seq": sequence + index, **({} if index == last else {"more": True}), **record}
        body = orjson.dumps(numbered, default=_encode_other)[1:]
        lines.append(b'%s%08x",%s\n' % (_PREFIX, zlib.crc32(body), body))
    return b"".join(lines)


def decode_line(line: bytes, sequence: int) -> tuple[Record, bool]:
    """Return the record of a line and whether more of its group follow; raises `DamagedLineError`."""
    body = line[_BODY:].removesuffix(b"\n")
    if line[: len(_PREFIX)] != _PREFIX or line[len(_PREFIX) : _BODY] != b'%08x",' % zlib.crc32(body):
        raise DamagedLineError("its checksum does not match")
    try:
        record: Record = orjson.loads(b"{" + body)
    except orjson.JSONDecodeError as error:
        raise DamagedLineError("it is not JSON") from error
    if record.pop("seq", None) != sequence:
        raise DamagedLineError("it has another number, so that lines before it are missing or repeated")
    return record, record.pop("more", False)


def decode_vector(text: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Return the vector that was written as base64 of little-endian float32."""
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)


def _encode_other(value: object) -> str:
    if isinstance(value, np.ndarray):
        return base64.b64encode(value.astype("<f4", copy=False).tobytes()).decode()
    raise TypeError(f"A journal cannot hold {type(value).__name__}")
