"""Comparing two stores, and the digest of what they hold."""

# mypy: ignore-errors
# (stores of all types in the same variables)

import pytest

from symphony_registry.backends import BackendType
from symphony_registry.transfer import StoreContents, compare
from symphony_registry.transfer.digest import canonical_json
from tests.helpers.transfers import HOSTILE, IDS, filled, store_of

VECTORS, GRAPH, CHECKPOINTS = BackendType


async def compared(one, other, **options):
    return await compare(StoreContents(one), StoreContents(other), **options)


async def vectors(*items):
    store = store_of(VECTORS, metric="dot")
    await store.connect()
    await store.add_many(items)
    return store


async def saved(*ids, **data):
    store = store_of(CHECKPOINTS)
    await store.connect()
    await store.restore_checkpoints([(id, data, None, 1.0) for id in ids])
    return store


def told(comparison):
    return [str(each) for each in comparison.differences]


@pytest.mark.parametrize("kind", BackendType)
async def test_equal_stores_have_equal_digests_and_counts(kind, tmp_path):
    async with store_of(kind) as one, store_of(kind, "file", tmp_path) as other:
        found = await compared(await filled(one), await filled(other))
    assert found.equal
    assert found.source == found.target
    assert set(found.source.counts.values()) == {len(IDS)}
    assert found.source.digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2, "c": 1}, "a": 1}),
        ({"a": 0.0, "b": [0.0]}, {"a": -0.0, "b": [-0.0]}),
        (HOSTILE, dict(reversed(HOSTILE.items()))),
    ],
)
def test_the_order_of_keys_and_the_sign_of_zero_make_no_difference(one, other):
    assert canonical_json(one) == canonical_json(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, True), (0, False), (0, 0.0), (None, False), ("1", 1), ([1, 2], [2, 1]), ("\0", ""), ({}, []),
     (0.1 + 0.2, 0.3), ("é", "e\u0301"), ({"a": None}, {}), (-0.05, 0.05), (2**63 - 1, float(2**63))],
)  # fmt: skip
def test_another_type_or_value_makes_another_digest(one, other):
    assert canonical_json(one) != canonical_json(other)


async def test_vectors_are_compared_to_the_last_bit():
    for one, other in (([0.0, 1.0], [-0.0, 1.0]), ([0.1, 1.0], [0.1 + 1e-8, 1.0]), ([1.0], [1.0, 0.0])):
        found = await compared(await vectors(("a", one, None)), await vectors(("a", other, None)))
        assert told(found) == ["'a' differs"]
        assert found.source.digest != found.target.digest
    assert (await compared(await vectors(("a", [0.1], None)), await vectors(("a", [0.1 + 1e-12], None)))).equal


async def test_what_is_missing_what_is_too_much_and_what_differs_is_named():
    source = await vectors(*((id, [1.0], None) for id in "abcd"))
    target = await vectors(("a", [1.0], None), ("b", [2.0], None), ("bb", [1.0], None), ("d", [1.0], {"x": 1}))
    found = await compared(source, target)
    assert told(found) == [
        "'b' differs",
        "'bb' is in the target only",
        "'c' is missing in the target",
        "'d' differs",
    ]
    assert (found.equal, found.differing) == (False, 4)
    assert (found.source.counts, found.target.counts) == ({"vectors": 4}, {"vectors": 4})


async def test_ten_differences_are_named_and_all_are_counted():
    found = await compared(await vectors(*((f"{n:02}", [1.0], None) for n in range(25))), await vectors())
    assert (found.differing, len(found.differences)) == (25, 10)
    assert told(found)[9] == "'09' is missing in the target"


async def test_relations_are_named_by_their_ends_and_type():
    async with store_of(GRAPH) as one, store_of(GRAPH) as other:
        for graph, properties in ((one, {"n": 1}), (other, {"n": 1.0})):
            await graph.add_entities([(id, "T", None) for id in "ab"])
            await graph.add_relation("a", "b", "R", properties)
        await other.add_relation("b", "a", "S")
        found = await compared(one, other)
    assert told(found) == ["'a' 'b' 'R' differs", "'b' 'a' 'S' is in the target only"]
    assert found.source.counts == {"entities": 2, "relations": 1}


async def test_checkpoints_in_another_order_differ():
    found = await compared(await saved("a", "b", "c"), await saved("a", "c", "b"))
    assert told(found) == [
        "'c' is in the target where the source has 'b'",
        "'b' is in the target where the source has 'c'",
    ]


async def test_checkpoints_with_another_timestamp_differ():
    one, other = await saved("a"), await saved("a")
    await other.restore_checkpoints([("a", {}, None, 1.0000000000000002)])
    assert told(await compared(one, other)) == ["'a' differs"]


async def test_a_merged_sequence_that_does_not_end_with_the_source_differs():
    source, target = await saved("a", "b"), await saved("x", "a", "b", "y")
    found = await compared(source, target, merged=True)
    assert not found.equal
    target = await saved("x", "y", "a", "b")
    found = await compared(source, target, merged=True)
    assert (found.equal, found.others) == (True, 2)
