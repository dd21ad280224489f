"""Exporting a store as JSON lines, and reading them again."""

# mypy: ignore-errors
# (stores of all types in the same variables)

import io
import json
import re
from base64 import b64decode

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony_registry.backends import BackendType
from symphony_registry.errors import ExportFormatError
from symphony_registry.testing.expectations import assert_same
from symphony_registry.transfer import ExportFile, StoreContents, compare, copy, plan_copy, write_lines
from symphony_registry.transfer.vectors import Vectors
from tests.helpers.transfers import everything, filled, store_of

VECTORS, GRAPH, CHECKPOINTS = BackendType
ALL = pytest.mark.parametrize("kind", BackendType)


async def exported(store):
    file = io.BytesIO()
    await write_lines(StoreContents(store), file)
    return file.getvalue()


def read(text, kind, name="backup.jsonl"):
    return ExportFile(io.BytesIO(text if isinstance(text, bytes) else text.encode()), name, kind)


def lines(kind, *items, **end):
    """Return a file as somebody writes it by hand."""
    header = {"format": "symphony-registry", "version": 2, "type": kind}
    every = [header, *items, {"count": len(items), **end}]
    return "".join(json.dumps(each) + "\n" for each in every)


@ALL
async def test_every_provider_writes_the_same_file(kind, tmp_path):
    async with store_of(kind) as one, store_of(kind, "file", tmp_path) as other:
        assert await exported(await filled(one)) == await exported(await filled(other))


@ALL
async def test_what_is_imported_is_what_was_exported(kind, tmp_path):
    async with store_of(kind) as one, store_of(kind, "file", tmp_path) as other:
        text = await exported(await filled(one, more=1200))
        source, target = read(text, kind), StoreContents(other)
        plan = await plan_copy(source, target)
        await copy(source, target, plan)
        assert (await compare(source, target)).equal
        assert_same(await everything(other), await everything(one), "the store")
        assert await exported(other) == text


@ALL
async def test_a_line_is_what_the_store_gives_in_its_order(kind):
    async with store_of(kind) as store:
        header, *items, end = map(json.loads, (await exported(await filled(store))).splitlines())
        assert header == {"format": "symphony-registry", "version": 2, "type": kind}
        if kind is VECTORS:
            items = [{**each, "vector": np.float32(each["vector"]).tolist()} for each in items]
        items = [{**each, "payload": b64decode(each["payload"])} if "payload" in each else each for each in items]
        assert items == await everything(store)
        found = await compare(StoreContents(store), StoreContents(store))
        assert end == {"count": len(items), "digest": found.source.digest}


@ALL
async def test_an_empty_store_is_a_header_and_an_end(kind):
    async with store_of(kind) as store:
        text = await exported(store)
    assert text.count(b"\n") == 2
    read(text, kind)


def bits(vector):
    return np.array(vector, np.float32).tobytes()


def line_of(vector):
    return orjson.loads(Vectors().line({"id": "a", "vector": vector, "metadata": {}}))["vector"]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_a_vector_comes_back_to_the_last_bit(vector):
    assert bits(line_of(vector)) == bits(vector)


@given(st.lists(st.floats(-3e38, 3e38), min_size=1))
def test_what_is_no_float32_is_rounded_as_numpy_does(vector):
    assert Vectors().canonical({"id": "a", "vector": vector, "metadata": {}}).endswith(bits(vector))
    assert bits(line_of(vector)) == bits(vector)


def test_a_number_whose_shortest_digits_are_rounded_twice_has_more_of_them():
    (number,) = np.array([0x15AE43FD], np.uint32).view(np.float32).tolist()
    assert bits([float("7.038531e-26")]) != bits([number])
    assert bits(line_of([number])) == bits([number])


def test_a_vector_is_written_with_the_fewest_digits():
    assert line_of(np.float32([0.1, 0.2]).tolist()) == [0.1, 0.2]


@ALL
async def test_a_file_that_was_cut_off_anywhere_is_refused_with_its_last_line(kind):
    async with store_of(kind) as store:
        text = await exported(await filled(store))
    for end in range(len(text) - 1):
        with pytest.raises(ExportFormatError) as raised:
            read(text[:end], kind)
        assert raised.value.line == max(1, text[:end].count(b"\n") + (end > 0 and text[end - 1 : end] != b"\n"))
        assert str(raised.value).startswith(f"backup.jsonl:{raised.value.line}: ")
    read(text[:-1], kind)


@ALL
async def test_a_file_in_which_any_line_is_missing_or_repeated_is_refused(kind):
    async with store_of(kind) as store:
        text = (await exported(await filled(store))).splitlines(keepends=True)
    for number in range(len(text)):
        for changed in (text[:number] + text[number + 1 :], text[: number + 1] + text[number:]):
            with pytest.raises(ExportFormatError):
                read(b"".join(changed), kind)


@ALL
async def test_a_file_in_which_a_value_was_changed_is_refused(kind):
    async with store_of(kind) as store:
        text = await exported(await filled(store))
    with pytest.raises(ExportFormatError, match="digest"):
        read(text.replace(b'"small":5e-324', b'"small":6e-123', 1), kind)


ITEM = {"id": "a", "vector": [1, 2.5], "metadata": {}}
ENTITY = {"id": "a", "type": "T", "properties": {}}
RELATION = {"from_id": "a", "to_id": "a", "type": "R", "properties": {}}
CHECKPOINT = {"checkpoint_id": "a", "data": {}, "metadata": {"timestamp": 1.5, "checkpoint_id": "a"}}


async def test_a_file_written_by_hand_needs_no_digest():
    for kind, *items in ((VECTORS, ITEM), (GRAPH, ENTITY, RELATION), (CHECKPOINTS, CHECKPOINT)):
        source = read(lines(kind, *items), kind)
        async with store_of(kind) as store:
            target = StoreContents(store)
            await copy(source, target, await plan_copy(source, target))
            assert await everything(store) == items


WRONG = [
    ("", VECTORS, 1, "not an export"),
    ("\n", VECTORS, 1, "not JSON"),
    ("hello\n", VECTORS, 1, "not JSON"),
    ("[]\n", VECTORS, 1, "not a JSON object"),
    ('{"id": "a"}\n', VECTORS, 1, "not an export"),
    (lines(GRAPH), VECTORS, 1, "holds a knowledge_graph, not a vector_store"),
    (lines(VECTORS).replace('"version": 2', '"version": 3'), VECTORS, 1, "3; this package reads versions up to 2"),
    (lines(VECTORS, ITEM, ENTITY), VECTORS, 3, "keys id, vector, metadata, and not id, type, properties"),
    (lines(VECTORS, ITEM, {}), VECTORS, 3, "and not none"),
    (lines(VECTORS, {**ITEM, "id": 7}), VECTORS, 2, "id must be a str, not int"),
    (lines(VECTORS, {**ITEM, "id": ""}), VECTORS, 2, "id is empty"),
    (lines(VECTORS, {**ITEM, "vector": "text"}), VECTORS, 2, "vector must be a sequence"),
    (lines(VECTORS, {**ITEM, "vector": [1, None]}), VECTORS, 2, "numbers only"),
    (lines(VECTORS, {**ITEM, "vector": [1e300, 1]}), VECTORS, 2, "too large for float32"),
    (lines(VECTORS, {**ITEM, "metadata": None}), VECTORS, 2, "metadata must be a dict"),
    (lines(VECTORS, {**ITEM, "metadata": {"a": [2**63]}}), VECTORS, 2, r"metadata\.a\[0\]: an int must fit 64 bits"),
    (lines(VECTORS, ITEM, {**ITEM, "id": "b", "vector": [1]}), VECTORS, 3, "dimension 1, those before it 2"),
    (lines(VECTORS, {**ITEM, "id": "b"}, ITEM), VECTORS, 3, "'a' comes after 'b'"),
    (lines(VECTORS, ITEM, ITEM), VECTORS, 3, "each once"),
    (lines(GRAPH, ENTITY, RELATION, {**ENTITY, "id": "b"}), GRAPH, 4, "entities come before the relations"),
    (lines(GRAPH, ENTITY, {**RELATION, "type": ""}), GRAPH, 3, "type is empty"),
    (lines(CHECKPOINTS, {**CHECKPOINT, "data": []}), CHECKPOINTS, 2, "data must be a dict"),
    (lines(CHECKPOINTS, {**CHECKPOINT, "metadata": {"checkpoint_id": "a"}}), CHECKPOINTS, 2, "must be a float"),
    (lines(CHECKPOINTS, {**CHECKPOINT, "checkpoint_id": "b"}), CHECKPOINTS, 2, "must be the checkpoint_id"),
    (lines(CHECKPOINTS, CHECKPOINT, CHECKPOINT), CHECKPOINTS, 3, "the checkpoint 'a' is there twice"),
    (lines(GRAPH, ENTITY, {**RELATION, "to_id": "b"}), GRAPH, 3, "no entity 'b' comes before the relation"),
    (lines(VECTORS, {**ITEM, "metadata": {"n": 10**29}}), VECTORS, 2, r"0 does not fit 64 bits: write 1e\+29 if"),
    (lines(VECTORS, ITEM).replace('"id": "a"', '"id": "b", "id": "a"'), VECTORS, 2, "the key 'id' is there twice"),
    (lines(VECTORS, ITEM) + "{}\n", VECTORS, 4, "something after the last line"),
    (lines(VECTORS, ITEM, count=2), VECTORS, 3, "written with 2 items, but has 1"),
    (lines(VECTORS, ITEM, digest="sha256:0"), VECTORS, 3, "digest"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "line", "reason"), WRONG, ids=[each[3] for each in WRONG])
def test_what_is_wrong_is_told_with_its_line(text, kind, line, reason):
    with pytest.raises(ExportFormatError, match=f"^backup.jsonl:{line}: .*{reason}") as raised:
        read(text, kind)
    assert (raised.value.path, raised.value.line) == ("backup.jsonl", line)
    assert re.search(r"[^.]\.$", str(raised.value))
