"""Every error this package raises, under one root.

Each class is also the builtin that a Python user would catch: a bad argument is
a `ValueError`, a missing name a `LookupError`, a dead server a `ConnectionError`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class RegistryError(Exception):
    """The root of every error of this package."""


class Problem(NamedTuple):
    """One thing that is wrong with a configuration: where it was written, under which keys, and what it is."""

    place: str
    path: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, ".".join(self.path), self.message) if part)


class ConfigurationError(RegistryError, ValueError):
    """The configuration is wrong; the message lists every problem with its place.

    `problems` has their texts, `details` their parts.
    """

    def __init__(self, details: Iterable[Problem]) -> None:
        self.details = tuple(dict.fromkeys(details))
        self.problems = tuple(map(str, self.details))
        count = len(self.problems)
        heading = "The configuration has a problem" if count == 1 else f"The configuration has {count} problems"
        super().__init__("\n".join([f"{heading}:", *(f"  {problem}" for problem in self.problems)]))


class InvalidValueError(RegistryError, ValueError):
    """An argument has a value that the contract does not allow."""


class InvalidTypeError(RegistryError, TypeError):
    """An argument has a type that the contract does not allow."""


class DimensionError(InvalidValueError):
    """A vector has another dimension than the store."""

    def __init__(self, expected: int, actual: int, what: str = "vector") -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(f"The {what} has dimension {actual}, but the store holds vectors of dimension {expected}.")


class NotFoundError(RegistryError, LookupError, ValueError):
    """A name is not known; the message lists the names there are."""


class ProviderNotFoundError(NotFoundError):
    """No provider of that type has that name."""


class BackendNotFoundError(NotFoundError):
    """No backend of that type has that name."""


class ServiceNotFoundError(NotFoundError, KeyError):
    """No service or repository has that name."""

    __str__ = Exception.__str__  # KeyError would show the repr of the message


class ProviderImportError(RegistryError, ImportError):
    """The provider is known, but importing it failed."""


class ProviderTypeError(RegistryError, TypeError):
    """What a provider name or a container led to is not what belongs there."""


class AlreadyRegisteredError(RegistryError, ValueError):
    """The name is taken by something else."""


class BackendNotOpenError(RegistryError, RuntimeError):
    """An operation before `connect` or after `disconnect`."""


class WrongEventLoopError(BackendNotOpenError):
    """The backend was opened on another event loop."""


class BackendUnavailableError(RegistryError, ConnectionError):
    """The backend cannot be reached."""


class BackendTimeoutError(BackendUnavailableError, TimeoutError):
    """The backend did not answer in time."""


class BackendErrorGroup(ExceptionGroup[Exception], RegistryError):  # noqa: N818 - as ExceptionGroup
    """What went wrong with several backends while they were opened or closed together."""

    def derive(self, excs: Sequence[Exception]) -> "BackendErrorGroup":  # type: ignore[override]
        """Keep the class when `except*` splits the group."""
        return BackendErrorGroup(self.message, excs)


class UnsupportedOperationError(RegistryError, NotImplementedError):
    """The provider cannot do this, and says so instead of doing something else."""


class UnsupportedFilterError(UnsupportedOperationError):
    """The provider cannot express this filter."""


class StorageError(RegistryError, OSError):
    """Reading or writing files failed; `path` says where."""

    def __init__(self, message: str, path: Path) -> None:
        self.path = path
        super().__init__(message)


class StorageLockedError(StorageError):
    """The directory is in use by another backend or process."""


class StorageFormatError(StorageError):
    """The directory holds something else, or a newer format."""


class StorageCorruptedError(StorageError):
    """Stored data is damaged; `offset` is the first damaged byte."""

    def __init__(self, message: str, path: Path, offset: int) -> None:
        self.offset = offset
        advice = "Restore a backup, or copy what can be read with symphony_registry.providers.embedded.salvage."
        super().__init__(f"{message} {advice}", path)


class TransferError(RegistryError, RuntimeError):
    """The items of a store could not be copied to another."""


class ExportFormatError(RegistryError, ValueError):
    """An exported file is damaged, incomplete or something else; `path` and `line` say where."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}:{line}: {reason}")


def without_text(error: Exception, failure: str) -> RegistryError:
    """Return an error of ours: what a provider raised becomes its class alone.

    Its text is left to the cause: nobody knows what a driver writes there.
    """
    if isinstance(error, RegistryError):
        return error
    own = BackendUnavailableError(f"{failure}: {type(error).__name__}.")
    own.__cause__ = error
    return own


@contextmanager
def own_errors(failure: str) -> Iterator[None]:
    """Raise what a provider raises in the block as an error of ours, by `without_text`."""
    try:
        yield
    except RegistryError:
        raise
    except Exception as error:
        raise without_text(error, failure) from error


def hint(name: object, known: Iterable[str], kind: str = "Known") -> str:
    """Return the end of a "not found" message: the nearest known name and all there are.

    >>> hint("memroy", ["file", "memory"])
    'Did you mean "memory"? Known: file, memory.'
    >>> hint("x", [])
    'Known: none.'
    """
    from difflib import get_close_matches  # noqa: PLC0415 - nobody pays for errors that do not happen

    names = sorted(known)
    by_lower = {each.lower(): each for each in names}
    near = get_close_matches(str(name).lower(), by_lower, n=1)
    question = f'Did you mean "{by_lower[near[0]]}"? ' if near else ""
    return f"{question}{kind}: {', '.join(names) or 'none'}."
