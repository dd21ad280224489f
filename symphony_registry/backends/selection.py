"""Which of a store's items an operation is about: the same keywords wherever several are found, counted or deleted."""

from collections.abc import Iterable
from typing import NamedTuple

from symphony_registry.backends.concurrency import here_or_in_thread
from symphony_registry.backends.cost import SMALL
from symphony_registry.backends.filters import ANYTHING, Condition, parse_filter
from symphony_registry.backends.values import JSONObject, check_bool, check_bound, check_id, check_limit, collected
from symphony_registry.errors import InvalidValueError

_LARGEST, _BEFORE_SURROGATES, _AFTER_SURROGATES = "\U0010ffff", "\ud7ff", "\ue000"


class Range(NamedTuple):
    """The ids that begin with `prefix` and lie between `after` and `before`, both exclusive, by code points."""

    prefix: str = ""
    after: str | None = None
    before: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether it holds every id."""
        return not self.prefix and self.after is None and self.before is None

    def low(self) -> tuple[str, bool]:
        """Return the lower bound, and whether it belongs to the range."""
        if self.after is None or self.after < self.prefix:
            return self.prefix, True
        return self.after, False

    def high(self) -> str | None:
        """Return the upper bound, exclusive; `None` where there is none."""
        bounds = [bound for bound in (end_of_prefix(self.prefix), self.before) if bound is not None]
        return min(bounds, default=None)

    def holds(self, id: str) -> bool:
        """Say whether an id lies in the range."""
        return (
            id.startswith(self.prefix)
            and (self.after is None or id > self.after)
            and (self.before is None or id < self.before)
        )


class Selection(NamedTuple):
    """The items of a range of ids whose document fulfils a condition; of entities, those of a type."""

    ids: Range = Range()
    condition: Condition = ANYTHING
    kind: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether it holds everything."""
        return self.condition is ANYTHING and self.ids.is_all and self.kind is None

    @property
    def is_range(self) -> bool:
        """Whether it holds everything in its range of ids."""
        return self.condition is ANYTHING and self.kind is None


EVERYTHING = Selection()


class Page(NamedTuple):
    """How many of the selected items are wanted, by id or from the last id back."""

    limit: int | None = None
    reverse: bool = False


def check_range(prefix: object, after: object = None, before: object = None) -> Range:
    """Return a range of ids, checked: bounds are text as ids are, or empty, as no id is: nothing is left out then."""
    return Range(
        check_bound(prefix, "prefix"),
        None if after is None else check_bound(after, "argument after") or None,
        None if before is None else check_bound(before, "argument before"),
    )


def check_selection(
    prefix: object,
    after: object,
    before: object,
    condition: JSONObject | None,
    what: str = "metadata_filter",
    kind: object = None,
) -> Selection:
    """Return a selection, checked; `what` is what the filter is called, `kind` an entity's type."""
    checked = None if kind is None else check_id(kind, "entity_type")
    return Selection(check_range(prefix, after, before), parse_filter(condition, what), checked)


def check_deletion(
    ids: object,
    prefix: object,
    after: object,
    before: object,
    condition: JSONObject | None,
    what: str = "metadata_filter",
    kind: object = None,
) -> "list[str] | Selection":
    """Return what is to be deleted, checked: some ids, or a selection, which cannot be everything."""
    selection = check_selection(prefix, after, before, condition, what, kind)
    names = "entity_type, prefix, after, before" if what == "property_filter" else "prefix, after, before"
    if ids is None:
        if selection.is_all:
            raise InvalidValueError(
                f"Nothing says what to delete: pass ids, {names} or {what}. To delete all, call clear()."
            )
        return selection
    if not selection.is_all:
        raise InvalidValueError(f"Pass either ids or a selection ({names}, {what}), not both.")
    return [check_id(id) for id in collected(ids)]


async def checked_ids(ids: object, what: str = "id") -> list[str]:
    """Return ids, checked, on a thread where there are many."""
    given = collected(ids)
    return await here_or_in_thread(lambda: [check_id(id, what) for id in given], len(given) * SMALL)


async def checked_deletion(
    ids: Iterable[str] | None,
    prefix: object,
    after: object,
    before: object,
    condition: JSONObject | None,
    what: str = "metadata_filter",
    kind: object = None,
) -> "list[str] | Selection":
    """Return what `check_deletion` does, on a thread where there are many ids."""
    given = None if ids is None else collected(ids)
    return await here_or_in_thread(
        lambda: check_deletion(given, prefix, after, before, condition, what, kind), len(given or ()) * SMALL
    )


def check_page(limit: object, reverse: object, what: str = "reverse") -> Page:
    """Return how many are wanted, checked."""
    return Page(None if limit is None else check_limit(limit), check_bool(reverse, what))


def end_of_prefix(prefix: str) -> str | None:
    """Return the least text that is greater than every one with this prefix; `None` where there is none.

    >>> end_of_prefix("thread-1/")
    'thread-10'
    """
    kept = prefix.rstrip(_LARGEST)
    if not kept:
        return None
    last = kept[-1]
    return kept[:-1] + (_AFTER_SURROGATES if last == _BEFORE_SURROGATES else chr(ord(last) + 1))
