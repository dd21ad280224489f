"""Which file stands at a path, asked so cheaply that each write can ask."""

import ctypes
import os
from collections.abc import Callable
from typing import Any

FileId = tuple[int, int]  # device and inode
At = Callable[[bytes], tuple[FileId, int]]

_FROM_WORKING_DIRECTORY = -100
_INODE_AND_SIZE = 0x300
_SIZE_OF_ANSWER = 256


def id_and_size(file: int | bytes) -> tuple[FileId, int]:
    """Return which file is open, or at a path, and its size."""
    status = os.stat(file)  # noqa: PTH116 - bytes, or a descriptor
    return (status.st_dev, status.st_ino), status.st_size


def _by_statx(statx: Callable[..., int]) -> At:
    """Return a function that does not ask for times.

    A kernel that was asked for the time of the last change notes the next one at
    once, which costs a synced write half as much again. `stat` always asks.
    """

    def at(path: bytes) -> tuple[FileId, int]:
        answer = (ctypes.c_uint32 * (_SIZE_OF_ANSWER // 4))()
        if statx(_FROM_WORKING_DIRECTORY, path, 0, _INODE_AND_SIZE, answer):
            return id_and_size(path)  # which raises what is wrong, or knows a kernel without statx
        device, inode = os.makedev(answer[34], answer[35]), answer[8] | answer[9] << 32
        return (device, inode), answer[10] | answer[11] << 32

    return at


def _choose() -> At:
    statx: Any = getattr(ctypes.CDLL(None), "statx", None)
    if statx is None:
        return id_and_size
    statx.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    return _by_statx(statx)


id_and_size_at = _choose()
"""Return which file a path, in bytes, leads to, and its size; raises `OSError` where there is none."""
