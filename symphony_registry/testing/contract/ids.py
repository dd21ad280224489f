"""Sentences about ids, for every backend type."""

from typing import Any

from symphony_registry.testing.adapters import adapt
from symphony_registry.testing.expectations import assert_same, refused
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.sentence import Group

ids = Group("ids")

_NAMES_WITH_MEANING = [
    "../x", "a/b", "/etc/passwd", "..", ".", "a\\b", "C:", "~", "x.json", "x.json.tmp", "NUL", "CON", "lost+found",
    "'; --", '"', "`", "''", "%", "%s", "%27", "_", "*", "?", "[a-z]", "a*", "a_", "{}", "${HOME}", "$where", "$1",
    "__proto__", "_id", "a.b", "a:b", "a::b", "a,b", "a;b", "a|b", "a=b", "#", "&", "@", "null", "None", "true",
    "0", "-1", "1e3", "nan",
]  # fmt: skip
_TEXT = [
    " ", "  ", "a ", " a", "\t", "\n", "\r\n", "\x01", "\x1b[0m", "\x7f", "\x85", "\u00a0", "\u200b", "\u202e",
    "\ufeff",
    "\u2028", "\ufffd", "\uffff", "\U00010000", "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "日本語",
    "العربية", "\U0010ffff",
]  # fmt: skip
# Each group is one id to somebody: to a file system, a collation, a normalisation.
_ALIKE = [
    ["A", "a"],
    ["é", "e\u0301", "É", "e"],
    ["ß", "ss", "SS", "ẞ"],
    ["ﬁ", "fi"],
    ["Å", "\u212b", "A\u030a"],
    ["İ", "i", "I", "\u0131"],
    ["x", "x ", " x", "x\n", "x\u200b", "\uff58"],
    ["1", "1.0", "01", "+1", "¹"],
]
_LONG = ["x" * 512, "y" * 511 + "x", "€" * 170 + "ab", "\U0001f600" * 128]


async def _ordinary(harness: Harness[Any], hostile: list[str]) -> None:
    """Expect each id to hold its own object, through storing, replacing, finding and deleting."""
    async with harness.open() as store:
        adapter = adapt(store)
        for id in hostile:
            await adapter.put(id, {"id": "before"})
        for id in hostile:
            await adapter.put(id, {"id": id})
        for id in hostile:
            assert_same(await adapter.get(id), {"id": id}, f"the object under {id!r}")
        for number, id in enumerate(hostile):
            assert await adapter.delete(id) is True, f"{id!r} was not there"
            assert await adapter.delete(id) is False, f"{id!r} was there twice"
            for other in hostile[number + 1 :][:3] + hostile[-1:]:
                if other != id:
                    assert await adapter.get(other) is not None, f"deleting {id!r} deleted {other!r}"


@ids.sentence("an id is data, never a path, a pattern or a piece of a query")
async def never_a_path(harness: Harness[Any]) -> None:
    await _ordinary(harness, _NAMES_WITH_MEANING)


@ids.sentence("an id is any Unicode text")
async def any_text(harness: Harness[Any]) -> None:
    await _ordinary(harness, _TEXT)


@ids.sentence("ids are compared code point by code point")
async def code_points(harness: Harness[Any]) -> None:
    for alike in _ALIKE:
        await _ordinary(harness, alike)


@ids.sentence("an id has up to 512 bytes of UTF-8")
async def longest(harness: Harness[Any]) -> None:
    await _ordinary(harness, _LONG)


@ids.sentence("every id comes back as it was", needs="survives a crash")
async def persisted(harness: Harness[Any]) -> None:
    hostile = [*_NAMES_WITH_MEANING, *_TEXT, *dict.fromkeys(id for alike in _ALIKE for id in alike), *_LONG]
    storage = harness.storage()
    async with storage.open() as store:
        for id in hostile:
            await adapt(store).put(id, {"id": id})
    async with storage.open() as store:
        for id in hostile:
            assert_same(await adapt(store).get(id), {"id": id}, f"the object under {id!r}")


async def _refused(harness: Harness[Any], *bad: object) -> None:
    """Expect each operation to refuse each id, and to write nothing."""
    async with harness.open() as store:
        adapter = adapt(store)
        await adapter.fill()
        before = {name: await read() for name, read in adapter.reads().items()}
        for id in bad:
            for name, operation in adapter.with_id(id).items():
                with refused(f"{name} with the id {id!a}"):
                    await operation()
        for name, read in adapter.reads().items():
            assert_same(await read(), before[name], f"{name} after the ids were refused")


class _Text(str):
    __slots__ = ()


@ids.sentence("an id that is not a str raises")
async def not_str(harness: Harness[Any]) -> None:
    await _refused(harness, *[1, 1.5, True, b"x", ["x"], {"id": "x"}, _Text("x")])


@ids.sentence("an empty id raises")
async def empty(harness: Harness[Any]) -> None:
    await _refused(harness, "")


@ids.sentence("an id of more than 512 bytes of UTF-8 raises")
async def too_long(harness: Harness[Any]) -> None:
    await _refused(harness, "x" * 513, "€" * 171, "\U0001f600" * 129, "x" * 100_000)


@ids.sentence("an id with U+0000 raises")
async def nul(harness: Harness[Any]) -> None:
    await _refused(harness, "\0", "a\0b", "a\0", "é\0")


@ids.sentence("an id with a lone surrogate raises")
async def surrogate(harness: Harness[Any]) -> None:
    await _refused(harness, "\ud800", "a\udfff", "\udc80x")
