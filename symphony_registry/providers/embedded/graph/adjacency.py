"""Which entities are related, as sorted numbers: see docs/design/walks.md."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import chain
from struct import Struct
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# A relation is a key at each of its ends: the number of its type in the high bits, that of the other end in the low.
KIND_SHIFT = 32
OTHER_END = (1 << KIND_SHIFT) - 1

Numbers: TypeAlias = NDArray[np.int64]
Blocks: TypeAlias = tuple[bytes, ...]

_BLOCK = 8 * 1_024  # bytes: what an insertion copies, however many relations an entity has
_PIECE = 4_096  # blocks joined at a time, while other threads have to wait
_KEY = Struct("q")


class Adjacency:
    """The relations of numbered entities in one direction: the keys of each, in order.

    They are kept in blocks of bounded length, none of them empty; adding and
    discarding replace one block. Bytes, and tuples of bytes, cost the garbage
    collector nothing, so that its pauses do not grow with the graph.
    """

    def __init__(self) -> None:
        self._blocks: list[Blocks] = []

    def append_entity(self) -> None:
        """Add an entity, with the next number."""
        self._blocks.append(())

    def add(self, number: int, key: int) -> bool:
        """Add a key of an entity; say whether it is new."""
        blocks = self._blocks[number]
        if not blocks:
            self._blocks[number] = (_KEY.pack(key),)
            return True
        at = _position(blocks, key)
        keys = array("q", blocks[at])
        place = bisect_left(keys, key)
        if place < len(keys) and keys[place] == key:
            return False
        keys.insert(place, key)
        self._replace(number, at, keys.tobytes())
        return True

    def discard(self, number: int, key: int) -> bool:
        """Remove a key of an entity; say whether it was there."""
        blocks = self._blocks[number]
        if not blocks:
            return False
        at = _position(blocks, key)
        keys = array("q", blocks[at])
        place = bisect_left(keys, key)
        if place == len(keys) or keys[place] != key:
            return False
        del keys[place]
        self._replace(number, at, keys.tobytes())
        return True

    def _replace(self, number: int, at: int, block: bytes) -> None:
        if len(block) > _BLOCK:
            middle = len(block) // 16 * 8
            parts: Blocks = (block[:middle], block[middle:])
        else:
            parts = (block,) if block else ()
        blocks = self._blocks[number]
        self._blocks[number] = parts if len(blocks) == 1 else blocks[:at] + parts + blocks[at + 1 :]

    def contains(self, number: int, key: int) -> bool:
        """Say whether an entity has this key."""
        blocks = self._blocks[number]
        if not blocks:
            return False
        keys = array("q", blocks[_position(blocks, key)])
        place = bisect_left(keys, key)
        return place < len(keys) and keys[place] == key

    def keys(self, number: int, kind: int | None = None) -> "array[int]":
        """Return the keys of an entity, all or those of one type, in order."""
        keys = array("q", b"".join(self._blocks[number]))
        if kind is None:
            return keys
        return keys[bisect_left(keys, kind << KIND_SHIFT) : bisect_left(keys, kind + 1 << KIND_SHIFT)]

    def degree(self, number: int) -> int:
        """Return how many keys an entity has; 0 if a thread is about to add it."""
        return sum(len(block) for blocks in self._blocks[number : number + 1] for block in blocks) // 8

    def pop(self, number: int) -> "array[int]":
        """Remove and return all keys of an entity."""
        keys = self.keys(number)
        self._blocks[number] = ()
        return keys

    def blocks(self, numbers: Iterable[int]) -> list[bytes]:
        """Return the blocks of many entities, for `joined`."""
        return list(chain.from_iterable(map(self._blocks.__getitem__, numbers)))


def joined(blocks: list[bytes]) -> Numbers:
    """Return the keys in blocks as one array."""
    pieces = [b"".join(blocks[start : start + _PIECE]) for start in range(0, len(blocks), _PIECE)]
    return np.frombuffer(pieces[0] if len(pieces) == 1 else b"".join(pieces), np.int64)


def _position(blocks: Blocks, key: int) -> int:
    return 0 if len(blocks) == 1 else bisect_right(blocks, key, 1, key=_first) - 1


def _first(block: bytes) -> int:
    return int(_KEY.unpack_from(block)[0])
