"""Selections on the command line: by filter, ids and type, and what they mean to a store of each type."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
import typer

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.filters import ANYTHING, parse_filter
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.selection import Range, check_range
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.cli.options import Misuse
from symphony_registry.cli.selection import StoreName
from symphony_registry.errors import InvalidTypeError, InvalidValueError
from symphony_registry.transfer.handwritten import once_each

_QUOTED = """Write it as --filter '{"lang": "en"}'."""


def _once(given: list[str] | None) -> list[str] | None:
    """Refuse an option that is given twice, of which only the last would count, or in vain."""
    if given is not None and len(given) > 1:
        raise typer.BadParameter("it is given more than once. Several conditions go into one filter, by $and or $or.")
    if given == [""]:
        raise typer.BadParameter("it is empty, perhaps because a variable of the shell is. Leave it out for all.")
    return given


Filter = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="JSON",
        help='Only what matches: \'{"year": {"$gte": 2020}}\'.',
        callback=_once,
        show_default=False,
    ),
]
Prefix = Annotated[
    list[str] | None,
    typer.Option("--prefix", metavar="TEXT", help="Only ids that begin with it.", callback=_once, show_default=False),
]
Type = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Only entities of this type.", callback=_once, show_default=False),
]


After = Annotated[
    list[str] | None,
    typer.Option("--after", metavar="ID", help="Only ids after this one.", callback=_once, show_default=False),
]
Before = Annotated[
    list[str] | None,
    typer.Option("--before", metavar="ID", help="Only ids before this one.", callback=_once, show_default=False),
]


@dataclass(frozen=True)
class Chosen:
    """What the options of a command select."""

    where: JSONObject | None
    type_name: str | None
    range: Range

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return parse_filter(self.where) is ANYTHING and self.range.is_all and not self.type_name

    async def find(self, opened: StorageBackend, limit: int | None, *, reverse: bool = False) -> list[dict[str, Any]]:
        """Return items by id, or from the last id back, without vectors and data."""
        page: Any = {**self.range._asdict(), "limit": limit, "reverse": reverse}
        match opened:
            case VectorStoreBackend():
                found = await opened.find(metadata_filter=self.where, include_vectors=False, **page)
                return [{**each} for each in found]
            case KnowledgeGraphBackend():
                entities = await opened.find_entities(self.type_name, self.where, **page)
                return [{**each} for each in entities]
            case CheckpointStoreBackend():
                infos = await opened.find_checkpoints(metadata_filter=self.where, **page)
                return [{**each} for each in infos]
        raise TypeError(opened)

    async def ids(self, opened: StorageBackend) -> list[str]:
        """Return the ids of the items."""
        found = await self.find(opened, None)
        return [each["checkpoint_id"] if "checkpoint_id" in each else each["id"] for each in found]

    async def count(self, opened: StorageBackend) -> int:
        """Return how many items there are."""
        ids: Any = self.range._asdict()
        match opened:
            case VectorStoreBackend() | CheckpointStoreBackend():
                return await opened.count(self.where, **ids)
            case KnowledgeGraphBackend():
                return await opened.count_entities(self.type_name, property_filter=self.where, **ids)
        raise TypeError(opened)

    async def delete(self, opened: StorageBackend, ids: list[str] | None = None) -> int:
        """Delete the items, or those of `ids`, and return how many there were."""
        selected: Any = {"ids": ids}
        if ids is None:
            what = "property_filter" if isinstance(opened, KnowledgeGraphBackend) else "metadata_filter"
            selected = {**self.range._asdict(), what: self.where}
        match opened:
            case VectorStoreBackend():
                return await opened.delete_many(**selected)
            case KnowledgeGraphBackend():
                return await opened.delete_entities(entity_type=self.type_name if ids is None else None, **selected)
            case CheckpointStoreBackend():
                return await opened.delete_checkpoints(**selected)
        raise TypeError(opened)


def read_filter(given: list[str] | None) -> JSONObject | None:
    """Return the filter that --filter gives; anything else is a mistake of usage."""
    if not given:
        return None
    (text,) = given
    try:
        orjson.loads(text)  # which takes nothing that is not JSON
        found: Any = json.loads(text, object_pairs_hook=once_each)
    except orjson.JSONDecodeError as error:
        raise Misuse(f"{text} is not JSON: {error}. {_QUOTED}") from None
    except InvalidValueError as error:
        raise Misuse(f"{error}: only the last would count.") from None
    if not isinstance(found, dict):
        raise Misuse(f"{text} is not a JSON object. {_QUOTED}")
    try:
        parse_filter(found, "--filter")
    except (InvalidTypeError, InvalidValueError) as error:
        raise Misuse(str(error)) from None
    return found


def chosen_by(
    store: StoreName,
    where: list[str] | None,
    prefix: list[str] | None,
    type_name: list[str] | None,
    after: list[str] | None,
    before: list[str] | None,
) -> Chosen:
    """Return what the options select in a store; those that do not fit it are a mistake of usage."""
    if type_name and store.backend_type is not BackendType.KNOWLEDGE_GRAPH:
        raise Misuse(f"{store} has no types: leave --type out.")
    try:
        ids = check_range(
            *(given[0] if given else default for given, default in ((prefix, ""), (after, None), (before, None)))
        )
    except InvalidValueError as error:
        raise Misuse(str(error)) from None
    return Chosen(read_filter(where), type_name[0] if type_name else None, ids)
