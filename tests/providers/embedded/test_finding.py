"""Vectors are found by the same selection, whichever way is the cheaper one."""

import random

import numpy as np
import pytest

from symphony_registry.backends.selection import Page, check_selection
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.providers.embedded.vectors import finding
from symphony_registry.providers.embedded.vectors.index import VectorIndex


@pytest.mark.parametrize("most", [0, 1_000])
def test_a_filter_finds_the_same_by_sorting_as_by_looking_through_all(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_SORTED", most)
    ids = [f"{number:03}" for number in range(500)]
    random.Random(2).shuffle(ids)
    index = VectorIndex(HNSWOptions(metric="dot"))
    metadata = [{"n": int(id)} for id in ids]
    index.apply({"op": "put", "ids": ids, "vectors": np.ones((500, 2), np.float32), "metadata": metadata})
    for prefix in ("", "1"):
        for reverse in (False, True):
            selection = check_selection(prefix, None, None, {"n": {"$gte": 120}})
            expected = [id for id in sorted(ids, reverse=reverse) if id >= "120" and id.startswith(prefix)]
            assert finding.find(index, selection, Page(None, reverse)) == expected
            assert finding.find(index, selection, Page(7, reverse)) == expected[:7]
            assert finding.count(index, selection) == len(expected)
