"""`symphony-registry get`, `find`, `count` and `search`."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, TypeAlias, TypeVar

import orjson
import typer
from rich.text import Text

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.cli.options import ConfigDir, Environment, Json, Misuse, Store
from symphony_registry.cli.output import FAINT, print_json, print_lines, print_table
from symphony_registry.cli.selecting import After, Before, Filter, Prefix, Type, chosen_by, read_filter
from symphony_registry.cli.selection import StoreName, chosen_store, closing, open_to_read
from symphony_registry.errors import NotFoundError, public_errors
from symphony_registry.registry import ServiceRegistry

T = TypeVar("T")
_Item: TypeAlias = dict[str, Any]

_Id = Annotated[str, typer.Argument(metavar="ID", help="The id of an item.", show_default=False)]
_Limit = Annotated[int, typer.Option(min=1, help="Find at most so many.")]


def get(store: Store, id: _Id, env: Environment = None, config_dir: ConfigDir = None, as_json: Json = False) -> None:
    """Print an item: a vector, an entity with the relations from and to it, or a checkpoint.

    The exit status is 1 where there is none of that id.
    """
    registry = ServiceRegistry.from_config(env, config_dir)
    chosen = chosen_store(registry, store)
    item = asyncio.run(_read(registry, chosen, lambda opened: _item(opened, chosen, id)))
    if as_json:
        print_json({key: b64encode(each).decode() if isinstance(each, bytes) else each for key, each in item.items()})
        return
    relations = item.pop("relations", [])
    print_table(("KEY", "VALUE"), [[key, _shown(value)] for key, value in _fields(item)], one_line=True)
    if relations:
        print_lines("")
        _print(relations, as_json=False)


def _fields(item: _Item) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an item; those of an object in it one by one, under dotted keys."""
    for name, value in item.items():
        if isinstance(value, dict) and value:
            yield from ((f"{name}.{key}", each) for key, each in value.items())
        else:
            yield name, value


async def _item(opened: StorageBackend, store: StoreName, id: str) -> _Item:
    found: _Item | None = None
    with public_errors(f"{store} could not be read"):
        match opened:
            case VectorStoreBackend():
                item = await opened.get(id)
                found = None if item is None else {**item}
            case KnowledgeGraphBackend():
                entity = await opened.get_entity(id)
                relations = await opened.get_relations(id, direction="both")
                found = None if entity is None else {**entity, "relations": relations}
            case CheckpointStoreBackend():
                saved = await opened.get_checkpoint(id)
                found = None if saved is None else {**saved}
    if found is None:
        raise NotFoundError(f"{store} has nothing under the id {id!r}. `find` lists what there is.")
    return found


def find(
    store: Store,
    where: Filter = None,
    prefix: Prefix = None,
    type_name: Type = None,
    after: After = None,
    before: Before = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="From the last id back.", show_default=False)] = False,
    limit: _Limit = 20,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """List the items that match, by id."""
    registry = ServiceRegistry.from_config(env, config_dir)
    chosen = chosen_store(registry, store)
    selected = chosen_by(chosen, where, prefix, type_name, after, before)
    found = asyncio.run(_read(registry, chosen, lambda opened: selected.find(opened, limit + 1, reverse=reverse)))
    _print(found[:limit], as_json=as_json)
    if not found:
        print_lines(Text("Nothing matches.", FAINT), stderr=True)
    if len(found) > limit:
        print_lines(Text(f"{limit} shown, there are more: --limit N.", FAINT), stderr=True)


def count(
    store: Store,
    where: Filter = None,
    prefix: Prefix = None,
    type_name: Type = None,
    after: After = None,
    before: Before = None,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """Print how many items match: vectors, entities or checkpoints."""
    registry = ServiceRegistry.from_config(env, config_dir)
    chosen = chosen_store(registry, store)
    selected = chosen_by(chosen, where, prefix, type_name, after, before)
    count = asyncio.run(_read(registry, chosen, selected.count))
    if as_json:
        print_json({"count": count})
    else:
        print_lines(f"{count}")


async def _read(registry: ServiceRegistry, store: StoreName, work: Callable[[StorageBackend], Awaitable[T]]) -> T:
    async with closing(registry):
        opened = await open_to_read(registry, store)
        with public_errors(f"{store} could not be read"):
            return await work(opened)


def search(
    store: Store,
    id: _Id,
    where: Filter = None,
    limit: _Limit = 10,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """Find the nearest others of a vector that is stored under an id."""
    registry = ServiceRegistry.from_config(env, config_dir)
    chosen = chosen_store(registry, store)
    if chosen.backend_type is not BackendType.VECTOR_STORE:
        raise Misuse(f"{chosen} cannot be searched: name a vector_store.")
    _print(asyncio.run(_search(registry, chosen, id, read_filter(where), limit)), as_json=as_json)


async def _search(
    registry: ServiceRegistry, store: StoreName, id: str, where: JSONObject | None, limit: int
) -> list[_Item]:
    async with closing(registry):
        opened = await open_to_read(registry, store)
        assert isinstance(opened, VectorStoreBackend)
        item = await _item(opened, store, id)
        with public_errors(f"{store} could not be searched"):
            found = await opened.search(item["vector"], limit + 1, where, include_vectors=False)
    return [{**each} for each in found if each["id"] != id][:limit]


def _print(items: list[_Item], *, as_json: bool) -> None:
    if as_json:
        print_json(items)
        return
    columns = [key for key in items[0] if key != "vector"] if items else ["id"]
    names = [f">{name.upper()}" if name == "similarity" else name.upper() for name in columns]
    rows = [[f"{item[key]:.3f}" if key == "similarity" else _shown(item[key]) for key in columns] for item in items]
    print_table(names, rows, one_line=True)


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return value if isinstance(value, str) else orjson.dumps(value).decode()
