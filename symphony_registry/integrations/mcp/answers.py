"""What one answer holds: so many items and bytes, and how to get the rest."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

import orjson
from pydantic import Field
from typing_extensions import TypedDict

from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import InvalidValueError

_SMALLEST = 64  # bytes of what is shown of a value


_Missing = Annotated[list[str], Field(description="The ids under which there is nothing.")]


class Answer(TypedDict):
    """What a tool has found."""

    items: list[JSONObject]
    missing: NotRequired[_Missing]
    next: NotRequired[
        Annotated[JSONObject, Field(description="There is more: call again with these arguments changed.")]
    ]
    note: NotRequired[Annotated[str, Field(description="What was shortened.")]]


class Subgraph(TypedDict):
    """Entities, the nearest first, and the relations among them."""

    entities: list[JSONObject]
    relations: list[JSONObject]
    missing: NotRequired[_Missing]
    note: NotRequired[Annotated[str, Field(description="What was left out or shortened, and how to get it.")]]


class Written(TypedDict):
    """How many items were written."""

    written: int


class Counted(TypedDict):
    """How many items there are."""

    count: int


class Deleted(TypedDict):
    """How many items were there, and are deleted."""

    deleted: int


@dataclass(frozen=True)
class Limits:
    """How many items an answer holds at most, and how many bytes of JSON."""

    items: int = 100
    bytes: int = 50_000

    def to_read(self, limit: int) -> int:
        """Return how many items to read: one more than are shown tells that there are more."""
        return min(limit, self.items) + 1

    def answer(
        self,
        found: Sequence[Mapping[str, Any]],
        limit: int,
        rest: Callable[[Sequence[Mapping[str, Any]]], JSONObject],
    ) -> Answer:
        """Return what fits; what `rest` says of the items shown, before one is shortened, is how to get the others."""
        shown, notes = self.fitting(found[: min(limit, self.items)])
        answer = Answer(items=shown)
        if len(shown) < len(found):
            answer["next"] = rest(found[: len(shown)])
        if notes:
            answer["note"] = notes[0]
        return answer

    def subgraph(
        self, entities: Sequence[Mapping[str, Any]], relations: Sequence[Mapping[str, Any]], most: int
    ) -> Subgraph:
        """Return what fits of both: entities first, then relations among those shown."""
        shown, notes = self.fitting(entities[:most])
        ids = {each["id"] for each in entities[: len(shown)]}
        among = [each for each in relations if each["from_id"] in ids and each["to_id"] in ids]
        connections, _ = self.fitting(among[: self.items], sum(map(size_of, shown)))
        if len(shown) < len(entities):
            notes.append(
                "There are more entities: ask from those at the edge, for fewer relation_types, or a larger limit."
            )
        if len(connections) < len(among):
            notes.append(
                f"{len(among) - len(connections):,} relations are left out: get_relations has those of an entity."
            )
        answer = Subgraph(entities=shown, relations=connections)
        if notes:
            answer["note"] = " ".join(notes)
        return answer

    def checked(self, ids: Sequence[str]) -> list[str]:
        """Return ids, each once; refuse more than an answer could repeat, as missing or left for the next call."""
        asked = list(dict.fromkeys(ids))
        if len(asked) > self.items or size_of(asked) > self.bytes:
            raise InvalidValueError(
                f"These are {len(asked):,} ids of {size_of(asked):,} bytes; one call takes at most {self.items:,} "
                f"and {self.bytes:,} bytes. Ask for some of them at a time."
            )
        return asked

    async def under(
        self, ids: Sequence[str], read: Callable[[list[str]], Awaitable[Sequence[Mapping[str, Any] | None]]]
    ) -> Answer:
        """Return what `read` gives for ids, and those under which there is nothing."""
        asked = self.checked(ids)
        found = dict(zip(asked, await read(asked), strict=True))
        present = {id: item for id, item in found.items() if item is not None}
        shown, notes = self.fitting(list(present.values()))
        answer = Answer(items=shown)
        if missing := [id for id in found if id not in present]:
            answer["missing"] = missing
        if rest := list(present)[len(shown) :]:
            answer["next"] = {"ids": rest}
        if notes:
            answer["note"] = notes[0]
        return answer

    def fitting(self, found: Sequence[Mapping[str, Any]], taken: int = 0) -> tuple[list[JSONObject], list[str]]:
        """Return the first items that fit beside `taken` bytes, the first of all shortened if need be, and a note."""
        shown: list[JSONObject] = []
        room = self.bytes - taken
        for item in found:
            size = size_of(item)
            if size > room and not shown and not taken:
                note = f"The item has {size:,} bytes and is shortened, where it says so: an answer has {self.bytes:,}."
                return [shortened(dict(item), room)], [note]
            if size > room:
                break
            shown.append(dict(item))
            room -= size
        return shown, []


def size_of(value: Any) -> int:
    """Return how many bytes a value has as JSON."""
    return len(orjson.dumps(value))


def shortened(value: Any, room: int) -> Any:
    """Return a value of some `room` bytes, which tells in its place what is left out."""
    if size_of(value) <= room:
        return value
    if isinstance(value, str):
        shown = value[:room]
        while (size := size_of(shown)) > room:
            shown = shown[: len(shown) * room // size]
        return f"{shown}… ({len(value):,} characters)"
    if isinstance(value, dict):
        kept = _fair(list(value.items()), room)
        more = {"…": f"{len(value) - len(kept):,} more keys"} if len(kept) < len(value) else {}
        return dict(kept) | more
    if isinstance(value, list):
        items = [each for _, each in _fair([("", each) for each in value], room)]
        return [*items, f"… ({len(value) - len(items):,} more)"] if len(items) < len(value) else items
    return value


def _fair(parts: list[tuple[str, Any]], room: int) -> list[tuple[str, Any]]:
    """Return the first parts, each with its share of what the earlier ones have left."""
    kept: list[tuple[str, Any]] = []
    for key, each in parts:
        room -= size_of(key)
        if room < _SMALLEST:
            break
        part = shortened(each, max(room // (len(parts) - len(kept)), _SMALLEST))
        room -= size_of(part) + 2
        kept.append((key, part))
    return kept
