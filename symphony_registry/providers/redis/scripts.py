"""The Lua scripts of the package: one for each type of store, since the server runs a script without interruption."""

import re
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import NamedTuple


class Script(NamedTuple):
    """A script, the digest by which a server remembers it, and the commands that it calls."""

    text: str
    digest: str
    commands: tuple[str, ...]


_CALLED = re.compile(r"(?:call|each_part)\('([A-Z.]+)'")


@cache
def script(name: str) -> Script:
    """Return the script of a type of store; its first argument names the operation."""
    folder = files("symphony_registry.providers.redis") / "lua"
    text = "\n".join((folder / f"{part}.lua").read_text("utf-8") for part in ("common", name))
    text += "\nreturn operations[ARGV[1]]()\n"
    digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Script(text, digest, tuple(sorted(set(_CALLED.findall(text)))))
