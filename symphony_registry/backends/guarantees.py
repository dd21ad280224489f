"""What a backend promises where the contract leaves room."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantees:
    """The promises of a backend, which the conformance kit proves.

    A class declares what it promises with the default options; a backend whose
    options or server change that declares its own.
    """

    survives: Literal["nothing", "crash", "power loss"] = "nothing"
    """What a write survives whose `await` has returned: `crash` is the end of the process, however it comes."""

    exact_search: bool = True
    """Whether `search` finds the most similar vectors, always.

    Else it may find others in place of some of many, but never fewer, and misses none of a dozen.
    """

    precision: Literal["float32", "float16"] = "float32"
    """What the numbers of a vector are rounded to."""

    free_dimension: bool = True
    """Whether the option `dimension` may be left out: the first vector fixes it."""

    atomic_bulk: bool = False
    """Whether no other task ever sees a part of a bulk operation."""

    filters: bool = True
    """Whether every filter is understood; else `UnsupportedFilterError` says which is not."""

    lists_entities: bool = False
    """Whether a graph can list its entities: `scan_entities`, and what stands on it."""

    restores_timestamps: bool = False
    """Whether a checkpoint store takes checkpoints with the time that they had: `restore_checkpoints`."""

    saves_several: bool = False
    """Whether a checkpoint store saves several checkpoints at once: `save_checkpoints`."""

    shared: bool = False
    """Whether several backends and processes may have the storage open, and each sees a write at once."""

    exclusive: bool = False
    """Whether the storage is refused to others while a backend has it open."""

    largest_value: int | None = None
    """The most bytes of JSON text that an object may have; `None` for as many as memory holds."""

    largest_limit: int | None = None
    """The largest `limit`; `None` for any."""

    @property
    def persists(self) -> bool:
        """Whether what is stored is there after `disconnect`."""
        return self.survives != "nothing"
