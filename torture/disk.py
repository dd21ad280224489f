"""The calls by which a process touches the files under a directory, seen from below."""

import builtins
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

WRITES = ("write", "pwrite", "writev", "pwritev")
SYNCS = ("fsync", "fdatasync")
CHANGES = ("ftruncate", "truncate", "posix_fallocate", "rename", "replace", "unlink", "remove", "mkdir", "rmdir")
CALLS = ("open", "close", "read", "pread", *WRITES, *SYNCS, *CHANGES)

Handler: TypeAlias = Callable[[str, Callable[[], Any], tuple[Any, ...]], Any]


@contextmanager
def intercepted(root: Path, handler: Handler) -> Iterator[None]:
    """Let `handler(name, call, arguments)` make every call that concerns a file under `root`."""
    home = os.fspath(root)
    handling = threading.local()

    def concerned(target: Any, directory: int | None) -> bool:
        if isinstance(target, int) or directory is not None:  # a name in an open directory is looked at as that is
            try:
                target = Path(f"/proc/self/fd/{target if directory is None else directory}").readlink()
            except OSError:
                return False
        return isinstance(target, str | os.PathLike) and f"{os.fspath(target)}/".startswith(f"{home}/")

    def replacement(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            directory = options.get("dir_fd", options.get("src_dir_fd"))
            if not arguments or hasattr(handling, "now") or not concerned(arguments[0], directory):
                return real(*arguments, **options)
            handling.now = True  # what the handler itself does passes
            try:
                return handler(name, partial(real, *arguments, **options), arguments)
            finally:
                del handling.now

        return call

    with ExitStack() as stack:
        for name in CALLS:
            stack.enter_context(patch.object(os, name, replacement(name, getattr(os, name))))
        for module in (builtins, io):  # pathlib uses the one, everybody else the other
            stack.enter_context(patch.object(module, "open", replacement("open", io.open)))
        yield


def scratch() -> "tempfile.TemporaryDirectory[str]":
    """Return a directory in memory, where there is one: what is tried there asks nothing of a disk."""
    memory = Path("/dev/shm")  # noqa: S108
    return tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)


def replace_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Let a directory hold these files alone, by name."""
    directory.mkdir(exist_ok=True)
    for path in directory.iterdir():
        path.unlink()
    for name, data in files.items():
        (directory / name).write_bytes(data)


def copy_files(source: Path, target: Path) -> None:
    """Copy what a killed process leaves behind; the lock died with it."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("LOCK"))
