"""Which vectors of an index are selected, in the order of their ids."""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from symphony_registry.backends.cost import LONG, SMALL
from symphony_registry.backends.filters import ANYTHING, comparisons
from symphony_registry.backends.selection import Page, Selection
from symphony_registry.providers.embedded.vectors.index import VectorIndex

# So few ids are sorted; of more, those in order are looked through: sorting keeps other threads waiting.
_SORTED = 2048


def find(index: VectorIndex, selection: Selection, page: Page) -> list[str]:
    """Return the selected ids: by the rows that match, or through the range of ids."""
    condition = selection.condition
    in_order = index.in_order.within(selection.ids, reverse=page.reverse)
    if condition is ANYTHING:
        chosen: Iterable[str] = in_order
    elif selection.ids.is_all:
        matching = index.matching(condition)
        if len(matching) <= _SORTED:
            chosen = sorted(index.ids_of(matching), reverse=page.reverse)
        else:
            mask = np.zeros(len(index), np.bool_)
            mask[matching] = True
            flags, rows = mask.tobytes(), index.rows
            chosen = (id for id in in_order if flags[rows[id]])
    else:
        chosen = (id for id in in_order if condition.matches(index.metadata(index.rows[id])))
    return list(islice(chosen, page.limit))


def count(index: VectorIndex, selection: Selection) -> int:
    """Return how many are selected."""
    if selection.condition is ANYTHING:
        return index.in_order.count(selection.ids)
    if selection.ids.is_all:
        return len(index.matching(selection.condition))
    return len(find(index, selection, Page()))


def cost(index: VectorIndex, selection: Selection, page: Page, each: float = 1) -> float:
    """Return about what finding costs, and `each` with what is found, while nobody changes the index."""
    condition, most = selection.condition, index.in_order.count(selection.ids)
    if condition is ANYTHING:
        looking: float = 0
    elif selection.ids.is_all:
        looking = index.matching_cost(condition)
        if each and looking <= LONG:  # counting needs nothing more
            most = len(index.matching(condition))
            looking += min(most, _SORTED) if most <= _SORTED else len(index)
    else:
        looking = most * SMALL * comparisons(condition)
    return looking + each * (most if page.limit is None else min(most, page.limit))
