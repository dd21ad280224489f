"""A forked child uses nothing that its parent opened: it forgets, and opens anew."""

import os
import threading
import weakref
from typing import Protocol


class Holder(Protocol):
    """Something that has opened what a forked child must not use."""

    def abandon(self) -> None:
        """Forget it, in the child, without a word to anybody else; harmless when there is nothing."""
        ...


# By identity: a provider's class may define equality.
_holders: "weakref.WeakValueDictionary[int, Holder]" = weakref.WeakValueDictionary()

no_fork = threading.RLock()
"""While a thread holds it, others wait with a fork: until what is being opened has its holder."""


def abandon_in_children(holder: Holder) -> None:
    """Let children that are forked from now on begin with `holder.abandon()`."""
    _holders[id(holder)] = holder


def _in_child() -> None:
    no_fork.release()
    for holder in list(_holders.values()):
        holder.abandon()


os.register_at_fork(before=no_fork.acquire, after_in_parent=no_fork.release, after_in_child=_in_child)
