"""Nodes and triplets of llama-index, as entities and relations."""

from collections.abc import Iterable, Mapping

from llama_index.core.graph_stores.types import ChunkNode, EntityNode, LabelledNode, Relation, Triplet

from symphony_registry.backends.knowledge_graph.base import Entity, EntityInput
from symphony_registry.backends.knowledge_graph.base import Relation as StoredRelation
from symphony_registry.errors import InvalidTypeError, InvalidValueError

_TEXT = "_text"  # the text of a chunk; what has none is an entity
_NAME = "_name"  # the name of an entity whose id is another


def entity(node: LabelledNode) -> EntityInput:
    """Return a node as the graph keeps it: its properties, beside them what they leave out."""
    for key in {_TEXT, _NAME} & node.properties.keys():
        raise InvalidValueError(f"The node {node.id!r} has a property {key!r}, a name that is taken. Rename it.")
    match node:
        case ChunkNode(id_=None):
            raise InvalidValueError(
                f"The chunk {node.text[:40]!r} has no id, and the hash that stands in for it differs by process. "
                "Pass ChunkNode(text=..., id_=...)."
            )
        case ChunkNode():
            own = {_TEXT: node.text}
        case EntityNode():
            own = {} if node.name == node.id else {_NAME: node.name}
        case _:
            raise InvalidTypeError(f"A node must be an EntityNode or a ChunkNode, not {type(node).__name__}.")
    return node.id, node.label, node.properties | own


def labelled(entity: Entity) -> LabelledNode:
    """Return an entity as a node."""
    properties = entity["properties"]
    text, name = properties.pop(_TEXT, None), properties.pop(_NAME, entity["id"])
    if text is None:
        return EntityNode(name=name, label=entity["type"], properties=properties)
    return ChunkNode(text=text, id_=entity["id"], label=entity["type"], properties=properties)


def joined(relations: Iterable[StoredRelation], entities: Mapping[str, Entity]) -> list[Triplet]:
    """Return relations with the nodes at their ends."""
    nodes: dict[str, LabelledNode] = {}
    triplets: list[Triplet] = []
    for relation in relations:
        ends = relation["from_id"], relation["to_id"]
        nodes |= {id: labelled(entities[id]) for id in ends if id not in nodes}
        label = Relation(
            label=relation["type"], source_id=ends[0], target_id=ends[1], properties=relation["properties"]
        )
        triplets.append((nodes[ends[0]], label, nodes[ends[1]]))
    return triplets


def nearest(relations: Iterable[StoredRelation], starts: Iterable[str], depth: int) -> list[StoredRelation]:
    """Return the relations that touch an entity fewer than `depth` outgoing steps from the starts, nearest first."""
    relations = list(relations)
    steps = dict.fromkeys(starts, 0)
    reached = set(steps)
    for step in range(1, depth):
        reached = {each["to_id"] for each in relations if each["from_id"] in reached} - steps.keys()
        steps |= dict.fromkeys(reached, step)

    def away(relation: StoredRelation) -> int:
        return min(steps.get(relation["from_id"], depth), steps.get(relation["to_id"], depth))

    return sorted((relation for relation in relations if away(relation) < depth), key=away)
