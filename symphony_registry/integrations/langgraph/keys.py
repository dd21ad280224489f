"""Under which ids a thread's checkpoints, their writes and the values of their channels are.

A checkpoint's id begins with its thread and namespace, and is the beginning of its writes' ids:

    langgraph/thread!<thread>!c!<namespace>!<checkpoint>!
    langgraph/thread!<thread>!c!<namespace>!<checkpoint>!<task>!<number of the write>
    langgraph/thread!<thread>!b!<namespace>!<channel>!<version>
"""

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, cast

from langchain_core.runnables import RunnableConfig

THREADS = "langgraph/thread!"
_MOST = 110  # bytes of a part; four of them fit an id
_DIGITS = 32
# Escaped, characters keep their order, and stand before all others and after the separator.
_ESCAPES = {code: f'"{chr(code + 0x30)}' for code in range(ord('"') + 1)}


class Place(NamedTuple):
    """A checkpoint of a thread; without `checkpoint_id`, the latest of the namespace."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str | None = None

    @classmethod
    def of(cls, config: RunnableConfig) -> "Place":
        """Return where a configuration points."""
        given = config.get("configurable", {})
        return cls(str(given["thread_id"]), given.get("checkpoint_ns", ""), given.get("checkpoint_id"))

    @property
    def config(self) -> RunnableConfig:
        """The configuration that points here."""
        thread_id, checkpoint_ns, checkpoint_id = self
        return {
            "configurable": {
                "thread_id": thread_id,
                "checkpoint_ns": checkpoint_ns,
                "checkpoint_id": checkpoint_id,
            }
        }

    @property
    def namespace(self) -> str:
        """How the ids of the namespace's checkpoints and writes begin."""
        return f"{checkpoints_of(self.thread_id)}{part(self.checkpoint_ns)}!"

    @property
    def key(self) -> str:
        """The id of the checkpoint, with which those of its writes begin."""
        return f"{self.namespace}{part(cast('str', self.checkpoint_id))}!"

    def blob(self, channel: str, version: str | float) -> str:
        """Return the id of a channel's value."""
        return f"{values_of(self.thread_id)}{part(self.checkpoint_ns)}!{part(channel)}!{part(str(version))}"


@lru_cache(1024)  # threads, namespaces and channels come again and again
def part(text: str) -> str:
    """Return a text as it stands in an id: without separators, no text like another, in the order of the texts.

    Of a long one, the beginning and a digest of the whole.
    """
    quoted = text.translate(_ESCAPES)
    encoded = quoted.encode(errors="surrogatepass")
    if len(encoded) <= _MOST:
        return quoted
    digest = sha256(encoded).hexdigest()[:_DIGITS]
    return f'{encoded[: _MOST - _DIGITS - 2].decode(errors="ignore")}"h{digest}'  # no escape ends with h


def thread(thread_id: str) -> str:
    """Return how all ids of a thread begin."""
    return f"{THREADS}{part(thread_id)}!"


def checkpoints_of(thread_id: str) -> str:
    """Return how the ids of a thread's checkpoints and writes begin."""
    return f"{thread(thread_id)}c!"


def values_of(thread_id: str) -> str:
    """Return how the ids of the values of a thread's channels begin."""
    return f"{thread(thread_id)}b!"


def parts(id: str) -> list[str]:
    """Return what an id is made of: thread, namespace and checkpoint are its second, fourth and fifth part."""
    return id.split("!")


def checkpoint_of(id: str) -> str:
    """Return the id of the checkpoint that a write, or a checkpoint, belongs to."""
    return "!".join(parts(id)[:5]) + "!"


def end(prefix: str) -> str:
    """Return an id after all that begin with this prefix, and before all others that are after it."""
    return prefix.removesuffix("!") + '"'
