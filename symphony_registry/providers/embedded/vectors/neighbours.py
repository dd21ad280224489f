"""A graph of usearch, which one thread at a time may use."""

import time
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from symphony_registry.backends.vector_store.base import Float32s
from symphony_registry.backends.vector_store.hnsw import HNSWOptions
from symphony_registry.errors import ProviderImportError
from symphony_registry.providers.embedded.journal.snapshot import checksum

# Vectors that are saved between turns of other threads.
_TURN = 1024
# What usearch has the vectors as: bfloat16 is multiplied faster, float16 tells near ones that are far from zero apart.
_KINDS = {"cosine": ("ip", "bf16"), "dot": ("ip", "bf16"), "euclidean": ("l2sq", "f16")}
# How to do without usearch, also where the configuration is that of another machine.
_WITHOUT = (
    "Or search exactly, by index: none; for a single command, set "
    "SYMPHONY_REGISTRY_VECTOR_STORES__<NAME>__OPTIONS__INDEX=none."
)

Adding: TypeAlias = Callable[[], Exception | None]
"""Adds vectors to a graph, for long; returns why a stored graph was of no use."""


def ensure_installed() -> None:
    """Raise `ProviderImportError` where there is no usearch, or one that cannot be loaded."""
    try:
        import usearch.index  # noqa: F401, PLC0415 - optional, and 100 ms
    except ModuleNotFoundError as error:
        raise ProviderImportError(
            "The option index: hnsw needs usearch, which is not installed: pip install 'symphony-registry[hnsw]'. "
            f"{_WITHOUT}",
            name=error.name,
            options=("index",),
        ) from error
    except ImportError as error:  # such as a numkong, which it is linked with, that was removed or is another
        raise ProviderImportError(
            f"The option index: hnsw needs usearch, which cannot be loaded: {error}. "
            f"Install it and numkong anew: pip install --force-reinstall usearch numkong. {_WITHOUT}",
            name=error.name,
            options=("index",),
        ) from error


def _give_turn(done: int, _: int) -> bool:
    """Let other threads have the interpreter, which saving would keep from them."""
    if done % _TURN == 0:
        time.sleep(0)
    return True


class NeighbourGraph:
    """Vectors under keys, in 16 bits a number, each with its probable neighbours."""

    def __init__(
        self, options: HNSWOptions, stored: npt.NDArray[np.uint8] | None = None, expected: int = 0, added: int = 0
    ) -> None:
        """Make an empty graph, or one from the bytes that are stored, with their checksum."""
        self.added = added  # the keys below it are here
        self.saved = added  # keys that the stored bytes have
        self.is_adding = False  # a thread is, or failed
        self._options = options
        self._stored, self._expected = stored, expected
        self._graph: Any = None
        self._using = Lock()

    @property
    def is_open(self) -> bool:
        """Whether it can be searched."""
        return self._graph is not None

    @property
    def is_used(self) -> bool:
        """Whether a thread is at work here."""
        return self.is_adding or self._using.locked()

    def adding(self, keys: npt.NDArray[np.intp], vectors: Float32s, end: int) -> Adding:
        """Return what adds vectors; afterwards, all keys below `end` are here."""
        self.is_adding = True

        def add() -> Exception | None:
            refusal: Exception | None = None
            with self._using:
                if self._graph is None:
                    refusal = self._open(vectors.shape[1])
                else:
                    self._graph.add(keys, vectors, threads=1)
                    self.added = end
            self.is_adding = False
            return refusal

        return add

    def _open(self, dimension: int) -> Exception | None:
        from usearch.index import Index  # noqa: PLC0415 - optional, and 100 ms

        options = self._options
        metric, dtype = _KINDS[options.metric]
        stored, self._stored = self._stored, None
        make = partial(
            Index,
            ndim=dimension,
            metric=metric,
            dtype=dtype,
            connectivity=options.m,
            expansion_add=options.ef_construction,
            expansion_search=options.ef_search,
            enable_key_lookups=False,
        )
        graph, refusal = make(), None
        if stored is not None:
            try:
                if checksum(stored) != self._expected:  # usearch would trust damaged ones
                    raise ValueError("its checksum does not match")
                graph.load(stored.data)
            except (RuntimeError, ValueError) as error:  # by another version of usearch, perhaps
                self.added, self.saved, graph, refusal = 0, 0, make(), error
        self._graph = graph
        return refusal

    def search(self, vector: Float32s, count: int) -> "tuple[npt.NDArray[np.intp], int]":
        """Return the keys of about `count` nearest vectors, the nearest first, and the first key that was not here."""
        with self._using:
            keys: npt.NDArray[np.intp] = self._graph.search(vector, count, threads=1).keys.astype(np.intp)
            return keys, self.added

    def stored(self) -> tuple[npt.NDArray[np.uint8] | None, int, int]:
        """Return its bytes, if there are any, their checksum, and how many keys they cover."""
        with self._using:
            if self._graph is None:
                return self._stored, self._expected, self.added
            stored = np.frombuffer(self._graph.save(progress=_give_turn), np.uint8)
            return stored, checksum(stored), self.added
