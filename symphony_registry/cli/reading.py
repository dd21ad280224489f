"""`symphony-registry get`, `find` and `search`."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

import orjson
import typer

from symphony_registry.backends.checkpoint_store.base import CheckpointStoreBackend
from symphony_registry.backends.filters import parse_filter
from symphony_registry.backends.knowledge_graph.base import KnowledgeGraphBackend
from symphony_registry.backends.storage import BackendType, StorageBackend
from symphony_registry.backends.values import JSONObject
from symphony_registry.backends.vector_store.base import VectorStoreBackend
from symphony_registry.cli.options import ConfigDir, Environment, Json, Store
from symphony_registry.cli.output import print_json, print_lines, print_table
from symphony_registry.cli.selection import StoreName, chosen_store, closing, open_to_read
from symphony_registry.errors import InvalidTypeError, InvalidValueError, NotFoundError, public_errors
from symphony_registry.registry import ServiceRegistry
from symphony_registry.transfer.scanning import left_early

_Item: TypeAlias = dict[str, Any]

_Id = Annotated[str, typer.Argument(metavar="ID", help="The id of an item.", show_default=False)]
_Limit = Annotated[int, typer.Option(min=1, help="Find at most so many.")]
_QUOTED = """Write it as --filter '{"lang": "en"}'."""


def _read_filter(text: str | None) -> JSONObject | None:
    if text is None:
        return None
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"{text} is not JSON: {error}. {_QUOTED}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{text} is not a JSON object. {_QUOTED}")
    try:
        parse_filter(found)
    except (InvalidTypeError, InvalidValueError) as error:
        raise typer.BadParameter(str(error)) from None
    return found


_Filter = Annotated[
    str | None,
    typer.Option(
        "--filter", metavar="JSON", help='Only what matches: \'{"year": {"$gte": 2020}}\'.', show_default=False
    ),
]


def get(store: Store, id: _Id, env: Environment = None, config_dir: ConfigDir = None, as_json: Json = False) -> None:
    """Print an item: a vector, an entity with the relations from and to it, or a checkpoint.

    The exit status is 1 where there is none of that id.
    """
    registry = ServiceRegistry.from_config(env, config_dir)
    item = asyncio.run(_get(registry, chosen_store(registry, store), id))
    if as_json:
        print_json(item)
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


async def _get(registry: ServiceRegistry, store: StoreName, id: str) -> _Item:
    async with closing(registry):
        return await _item(await open_to_read(registry, store), store, id)


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
        raise NotFoundError(f"{store} has nothing under the id {id!r}. `find {store}` lists what there is.")
    return found


def find(
    store: Store,
    where: _Filter = None,
    type_name: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only entities of this type.", show_default=False)
    ] = None,
    limit: _Limit = 20,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """List the items that match: vectors and entities by id, checkpoints in the order saved."""
    registry = ServiceRegistry.from_config(env, config_dir)
    chosen = chosen_store(registry, store)
    if type_name is not None and chosen.backend_type is not BackendType.KNOWLEDGE_GRAPH:
        raise typer.BadParameter(f"{chosen} has no types: leave --type out.")
    _print(asyncio.run(_find(registry, chosen, _read_filter(where), type_name, limit)), as_json=as_json)


async def _find(
    registry: ServiceRegistry, store: StoreName, where: JSONObject | None, type_name: str | None, limit: int
) -> list[_Item]:
    async with closing(registry):
        opened = await open_to_read(registry, store)
        with public_errors(f"{store} could not be read"):
            match opened:
                case VectorStoreBackend():
                    return await _matching(opened, where, limit)
                case KnowledgeGraphBackend():
                    return [{**each} for each in await opened.find_entities(type_name, where, limit)]
                case CheckpointStoreBackend():
                    return [{**each} for each in await opened.list_checkpoints(metadata_filter=where, limit=limit)]
    return []


async def _matching(opened: VectorStoreBackend, where: JSONObject | None, limit: int) -> list[_Item]:
    condition = parse_filter(where)
    found: list[_Item] = []
    async with left_early(opened.scan()) as items:
        async for item in items:
            if condition.matches(item["metadata"]):
                found.append({**item})
                if len(found) == limit:
                    break
    return found


def search(
    store: Store,
    id: _Id,
    where: _Filter = None,
    limit: _Limit = 10,
    env: Environment = None,
    config_dir: ConfigDir = None,
    as_json: Json = False,
) -> None:
    """Find the nearest others of a vector that is stored under an id."""
    registry = ServiceRegistry.from_config(env, config_dir)
    chosen = chosen_store(registry, store)
    if chosen.backend_type is not BackendType.VECTOR_STORE:
        raise typer.BadParameter(f"{chosen} cannot be searched: name a vector_store.")
    _print(asyncio.run(_search(registry, chosen, id, _read_filter(where), limit)), as_json=as_json)


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
    return value if isinstance(value, str) else orjson.dumps(value).decode()
