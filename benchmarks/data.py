"""What is stored and asked for: made from a seed, so that anybody gets the same, or read from real data."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Float32s = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

_CLUSTERS = 500
_LATENT = 30
_QUERIES = 64
_PEOPLE = ("user", "assistant", "tool")


@dataclass(frozen=True)
class Condition:
    """A filter by one field, for every contestant in its own language."""

    field: str
    operator: str  # "=" or "<"
    value: Any

    @property
    def ours(self) -> dict[str, Any]:
        """The contract's filter."""
        return {self.field: self.value if self.operator == "=" else {"$lt": self.value}}

    @property
    def sql(self) -> str:
        """The same in SQL."""
        return f"{self.field} {self.operator} {self.value!r}"


@dataclass(frozen=True)
class Corpus:
    """Vectors of unit length, metadata for each, and queries of the same kind."""

    vectors: Float32s
    queries: Float32s
    columns: dict[str, list[Any]] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(1)
        scores = rng.permutation(len(self.vectors)) % 1000
        columns = {
            "lang": np.where(rng.permutation(len(self.vectors)) % 2, "en", "de").tolist(),
            "score": scores.tolist(),
            "topic": (rng.permutation(len(self.vectors)) % 1000).tolist(),
        }
        object.__setattr__(self, "columns", columns)

    def metadata(self, rows: slice) -> list[dict[str, Any]]:
        """Return what is stored with some vectors."""
        columns = (column[rows] for column in self.columns.values())
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*columns, strict=True)]

    @cached_property
    def ids(self) -> list[str]:
        """The id of each vector."""
        return [f"document-{number:07}" for number in range(len(self.vectors))]

    def query(self, turn: int) -> Float32s:
        """Return the query for a turn."""
        chosen: Float32s = self.queries[turn % len(self.queries)]
        return chosen

    def kept(self, condition: Condition) -> npt.NDArray[np.bool_]:
        """Say of each vector whether a filter keeps it."""
        column = np.array(self.columns[condition.field])
        kept: npt.NDArray[np.bool_] = (
            column == condition.value if condition.operator == "=" else column < condition.value
        )
        return kept


def mixture(count: int, dimension: int = 384, seed: int = 0) -> Corpus:
    """Return a mixture of Gaussians with 30 latent dimensions each, on the unit sphere.

    As in sentence embeddings, a mean direction is common to all (13 % of the energy), and
    the energy of the principal directions decays: half of it lies in the first twelfth of them.
    """
    rng = np.random.default_rng(seed)
    decay = np.exp(-np.arange(dimension) / (dimension * 0.18))  # of the variance, by principal direction
    scales = np.sqrt(decay / decay.sum()).astype(np.float32)
    rotation = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0].astype(np.float32)
    common = rng.normal(size=dimension)
    common *= np.sqrt(0.13) / np.linalg.norm(common)
    labels = rng.integers(_CLUSTERS, size=count + _QUERIES)
    vectors = np.empty((count + _QUERIES, dimension), np.float32)
    for label in range(_CLUSTERS):
        rows = np.flatnonzero(labels == label)
        centre = rng.standard_normal(dimension, np.float32) * scales * np.sqrt(0.45)
        basis = rng.standard_normal((_LATENT, dimension), np.float32) * scales * np.sqrt(0.40 / _LATENT)
        vectors[rows] = centre + rng.standard_normal((len(rows), _LATENT), np.float32) @ basis
    vectors += rng.standard_normal(vectors.shape, np.float32) * (scales * np.float32(np.sqrt(0.02)))
    return _corpus(vectors @ rotation + common.astype(np.float32))


def noise(count: int, dimension: int = 384) -> Corpus:
    """Return directions that have nothing in common: the worst that an exact search can meet."""
    return _corpus(np.random.default_rng(2).standard_normal((count + _QUERIES, dimension), np.float32))


def real(directory: Path) -> Corpus:
    """Return the embeddings in `vectors.npy` and `query_vectors.npy`."""
    return Corpus(np.load(directory / "vectors.npy"), np.load(directory / "query_vectors.npy"))


def enlarged(corpus: Corpus, count: int) -> Corpus:
    """Return `count` vectors: those of `corpus`, and mixtures of two of them with a little noise."""
    rng = np.random.default_rng(3)
    vectors = [corpus.vectors]
    for _ in range(-(-count // len(corpus.vectors)) - 1):
        others = corpus.vectors[rng.integers(len(corpus.vectors), size=len(corpus.vectors))]
        weights = rng.uniform(0.2, 0.5, size=(len(others), 1)).astype(np.float32)
        mixed = corpus.vectors * (1 - weights) + others * weights
        vectors.append(_unit(mixed + rng.standard_normal(mixed.shape, np.float32) * np.float32(0.01)))
    return Corpus(np.ascontiguousarray(np.concatenate(vectors)[:count]), corpus.queries)


def _corpus(vectors: npt.NDArray[Any]) -> Corpus:
    unit = _unit(vectors)
    return Corpus(unit[:-_QUERIES].copy(), unit[-_QUERIES:].copy())


def _unit(vectors: npt.NDArray[Any]) -> Float32s:
    unit: Float32s = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@dataclass(frozen=True)
class Relations:
    """A directed graph of numbered entities; entity 0 is the hub, and `sources[i] -kinds[i]-> targets[i]`."""

    entities: int
    sources: Integers
    targets: Integers
    kinds: Integers

    names = ("KNOWS", "CITES", "LIKES")  # of the kinds

    @cached_property
    def ids(self) -> list[str]:
        """The id of each entity."""
        return [f"entity-{number:06}" for number in range(self.entities)]

    def triples(self) -> Iterator[tuple[int, int, str]]:
        """Yield (source, target, type)."""
        for source, target, kind in zip(self.sources.tolist(), self.targets.tolist(), self.kinds.tolist(), strict=True):
            yield source, target, self.names[kind]

    @cached_property
    def degrees(self) -> Integers:
        """How many relations begin and end at each entity."""
        return np.bincount(self.sources, minlength=self.entities) + np.bincount(self.targets, minlength=self.entities)


def power_law(entities: int, degree: int = 10) -> Relations:
    """Return about `degree` distinct relations an entity, whose ends are chosen by a power law each.

    Entity 0 is the source of the most; who is often a target has nothing to do with who is often a source.
    """
    rng = np.random.default_rng(4)
    wanted = entities * degree
    ends = []
    for exponent, offset in ((0.81, 1.0), (0.6, 20.0)):
        weights = (np.arange(entities) + offset) ** -exponent
        limits = np.cumsum(weights)
        ends.append(np.searchsorted(limits, rng.random(wanted * 2) * limits[-1]))
    targets = rng.permutation(entities)[ends[1]]
    kinds = rng.integers(len(Relations.names), size=wanted * 2)
    distinct = np.unique((kinds * entities + ends[0]) * entities + targets)
    chosen = rng.permutation(distinct)[:wanted]
    rest, targets = np.divmod(chosen, entities)
    kinds, sources = np.divmod(rest, entities)
    return Relations(entities, sources, targets, kinds)


def conversation(size: int, seed: int = 0) -> dict[str, Any]:
    """Return an agent's state of about `size` bytes of JSON: messages, calls of tools, scores, a plan."""
    rng = np.random.default_rng(seed)
    words = [bytes(rng.integers(97, 123, size=rng.integers(2, 10), dtype=np.uint8)).decode() for _ in range(2000)]
    messages: list[dict[str, Any]] = []
    written = 0
    while written < size - 600:
        text = " ".join(words[number] for number in rng.integers(len(words), size=int(rng.integers(3, 80))))
        message = {
            "id": f"message-{len(messages)}",
            "role": _PEOPLE[len(messages) % 3],
            "content": text,
            "created": 1_760_000_000.5 + len(messages),
            "usage": {"input": int(rng.integers(5000)), "output": int(rng.integers(500)), "cached": None},
            "calls": [{"name": "search", "arguments": {"query": text[:20], "limit": 10}, "ok": True}],
            "scores": [round(float(score), 4) for score in rng.random(4)],
        }
        messages.append(message)
        written += len(text) + 278
    return {
        "thread": "thread-1",
        "step": len(messages),
        "messages": messages,
        "plan": {"done": words[:5], "next": None},
    }
