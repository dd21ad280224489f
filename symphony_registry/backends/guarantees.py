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
    """Whether `search` finds the most similar vectors, always."""

    precision: Literal["float32", "float16"] = "float32"
    """What the numbers of a vector are rounded to."""

    atomic_bulk: bool = False
    """Whether no other task ever sees a part of a bulk operation."""

    filters: bool = True
    """Whether filters are understood."""

    lists_entities: bool = False
    """Whether a graph can list its entities: `scan_entities`, and what stands on it."""

    restores_timestamps: bool = False
    """Whether a checkpoint store takes checkpoints with the time that they had: `restore_checkpoints`."""

    shared: bool = False
    """Whether other processes may have the storage open too, and see a write at once."""

    largest_value: int | None = None
    """The most bytes of JSON text that an object may have; `None` for as many as memory holds."""

    largest_limit: int | None = None
    """The largest `limit`; `None` for any."""

    @property
    def persists(self) -> bool:
        """Whether what is stored is there after `disconnect`."""
        return self.survives != "nothing"
