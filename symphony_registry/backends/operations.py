"""What each operation does to the store: what retries, the documentation and the conformance kit go by."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from symphony_registry.backends.storage import BackendType

Effect: TypeAlias = Literal["read", "write", "single write"]


class Operation(NamedTuple):
    """An operation of a backend type.

    A `write` may be sent twice: the second changes nothing and is answered as the
    first. A `single write` may not: it would be answered as if nothing had been
    there.
    """

    name: str
    effect: Effect

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again where nobody knows what became of it."""
        return self.effect != "single write"


def _table(**effects: Effect) -> Mapping[str, Operation]:
    return {name: Operation(name, effect) for name, effect in effects.items()}


OPERATIONS: Mapping[BackendType, Mapping[str, Operation]] = {
    BackendType.VECTOR_STORE: _table(
        add="write",
        get="read",
        delete="single write",
        search="read",
        count="read",
        add_many="write",
        get_many="read",
        find="read",
        update="write",
        delete_many="single write",
        search_many="read",
        clear="write",
        dimension="read",
        scan="read",
    ),
    BackendType.KNOWLEDGE_GRAPH: _table(
        add_entity="write",
        get_entity="read",
        get_entities="read",
        update_entity="write",
        delete_entity="single write",
        delete_entities="single write",
        add_relation="write",
        get_relations="read",
        delete_relation="single write",
        delete_relations="single write",
        query="read",
        add_entities="write",
        add_relations="write",
        find_entities="read",
        neighbors="read",
        shortest_path="read",
        subgraph="read",
        count_entities="read",
        count_relations="read",
        clear="write",
        scan_entities="read",
        scan_relations="read",
    ),
    BackendType.CHECKPOINT_STORE: _table(
        save_checkpoint="write",
        get_checkpoint="read",
        delete_checkpoint="single write",
        list_checkpoints="read",
        save_checkpoints="write",
        get_checkpoints="read",
        find_checkpoints="read",
        delete_checkpoints="single write",
        get_latest_checkpoint="read",
        prune="single write",
        count="read",
        clear="write",
        scan="read",
        restore_checkpoints="write",
    ),
}
