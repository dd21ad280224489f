"""Every error this package raises, under one root.

Each class is also the builtin that a Python user would catch: a bad argument is
a `ValueError`, a missing name a `LookupError`, a dead server a `ConnectionError`.
`docs/errors.md` lists them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class RegistryError(Exception):
    """The root of every error of this package.

    `transient` says whether waiting may help. `options` names the options of the
    backend that it is about, the likeliest first.
    """

    transient: bool = False
    options: tuple[str, ...] = ()

    def __init__(self, *args: object, options: tuple[str, ...] = ()) -> None:
        super().__init__(*args)
        if options:
            self.options = options


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
        super().__init__(
            f"The {what} has dimension {actual}, but the store takes only dimension {expected}. Its option dimension, "
            "or else the first vector stored, fixes that until the store is cleared. Use the embedding model that its "
            "vectors come from, or another store."
        )


class VersionConflictError(InvalidValueError):
    """A checkpoint has another version than the one that a save or a deletion was to replace: somebody was faster.

    `expected` and `found` are versions; 0 means that there is none.
    """

    def __init__(self, checkpoint_id: str, expected: int, found: int) -> None:
        self.expected = expected
        self.found = found
        there = f"has version {found}" if found else "is not there"
        wanted = f"version {expected}" if expected else "no checkpoint (if_version=0)"
        super().__init__(
            f"The checkpoint {checkpoint_id!r} {there}, where {wanted} was expected. Nothing was changed. "
            "Read it again, and decide anew."
        )


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
    """The provider is known, but importing it failed; `name` is the module that could not be imported."""

    def __init__(self, message: str, *, name: str | None = None, options: tuple[str, ...] = ()) -> None:
        super().__init__(message, options=options)
        self.name = name


class ProviderTypeError(RegistryError, TypeError):
    """A provider name or a container leads to something other than a provider or a backend of that type."""


class AlreadyRegisteredError(RegistryError, ValueError):
    """The name is taken by something else."""


class BackendNotOpenError(RegistryError, RuntimeError):
    """An operation before `connect` or after `disconnect`; `failure` says so, without the advice that follows."""

    def __init__(self, failure: str, advice: str = "") -> None:
        self.failure = failure
        super().__init__(f"{failure} {advice}".rstrip())


class WrongEventLoopError(BackendNotOpenError):
    """The backend was opened on another event loop."""


class BlockingCallError(RegistryError, RuntimeError):
    """A call that waits for its result was made where it would stop an event loop."""


class BackendUnavailableError(RegistryError, ConnectionError):
    """The backend cannot serve now: it cannot be reached, is shutting down, or has no connection free."""

    transient = True


class BackendTimeoutError(BackendUnavailableError, TimeoutError):
    """The backend did not answer in time."""


class BackendSetupError(RegistryError, RuntimeError):
    """The backend was reached and refuses: something has to be set up, granted or configured first."""


class BackendErrorGroup(ExceptionGroup[Exception], RegistryError):  # noqa: N818 - as ExceptionGroup
    """What went wrong with several backends while they were opened or closed; transient where all of it is."""

    def __init__(self, message: str, errors: Sequence[Exception]) -> None:
        super().__init__(message, errors)
        self.transient = all(isinstance(each, RegistryError) and each.transient for each in errors)

    def __str__(self) -> str:
        first, *others = self.exceptions  # a line in a log has no room for all
        more = f" (and {len(others)} more)" if others else ""
        return f"{self.message}: {public_text(first)}{more}"

    def derive(self, excs: Sequence[Exception]) -> "BackendErrorGroup":  # type: ignore[override]
        """Keep the class when `except*` splits the group."""
        return BackendErrorGroup(self.message, excs)


class UnsupportedOperationError(RegistryError, NotImplementedError):
    """The provider cannot do this, and says so instead of doing something else."""


class UnsupportedFilterError(UnsupportedOperationError):
    """The provider cannot express this filter."""


class StorageError(RegistryError, OSError):
    """Reading or writing files failed; `path` says where."""

    options = ("path",)

    def __init__(self, message: str, path: Path) -> None:
        self.path = path
        super().__init__(message)


class StorageLockedError(StorageError):
    """The directory is in use by another backend or process; `held` says so, without the advice that follows."""

    transient = True

    def __init__(self, held: str, path: Path, advice: str = "") -> None:
        self.held = held
        super().__init__(f"{held} {advice}".rstrip(), path)


class StorageFormatError(StorageError):
    """The directory holds something else, or a newer format."""


class StorageCorruptedError(StorageError):
    """Stored data is damaged; `offset` is the first damaged byte."""

    def __init__(self, message: str, path: Path, offset: int) -> None:
        self.offset = offset
        super().__init__(message, path)


class TransferError(RegistryError, RuntimeError):
    """The items of a store could not be copied to another."""


class ExportFormatError(RegistryError, ValueError):
    """An exported file is damaged, incomplete or something else; `path` and `line` say where."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}:{line}: {reason}")


class _Note(str):
    """A note that this package added to an error: unlike the error's own text, it may be shown."""

    __slots__ = ()


_UNSHOWN = "Its text may hold a secret: only a traceback in Python shows it."


def attributed(error: Exception, failure: str) -> Exception:
    """Return what to raise for an error that came out of a provider, so that it names the backend, as `failure` does.

    An `OSError` means that something cannot be reached: it becomes a
    `BackendUnavailableError` without its text, which may hold a secret. Any other
    error that is not ours is a bug of the provider's or an error of its driver: it
    stays what it is, with a note.
    """
    if isinstance(error, RegistryError):
        return error
    if isinstance(error, OSError):
        kind = BackendTimeoutError if isinstance(error, TimeoutError) else BackendUnavailableError
        own = kind(f"{failure}: {type(error).__name__}. {_UNSHOWN}")
        own.__cause__ = error
        return own
    if not _notes(error):
        error.add_note(_Note(failure))
    return error


def _notes(error: BaseException) -> list[str]:
    return [note for note in getattr(error, "__notes__", ()) if isinstance(note, _Note)]


def public_text(error: BaseException) -> str:
    """Return what may be shown of an error: the message of ours, but only the class of any other, and our notes."""
    if isinstance(error, RegistryError):
        return str(error)
    return f"{': '.join([*_notes(error), type(error).__name__])}. {_UNSHOWN}"


@contextmanager
def public_errors(failure: str) -> Iterator[None]:
    """Raise whatever a provider raises in the block as an error of ours, whose message may be shown."""
    try:
        yield
    except RegistryError:
        raise
    except Exception as error:
        named = attributed(error, failure)
        if isinstance(named, RegistryError):
            raise named from error
        raise TransferError(public_text(named)) from error


_SHORTEST = 3  # of what is taken for the beginning of a name


def hint(name: object, known: Iterable[str], kind: str = "Known", prefix: str = "") -> str:
    """Return the end of a "not found" message: the nearest known name and all there are.

    The nearest is the one that is spelt alike after `prefix`, or is short for the other.

    >>> hint("memroy", ["file", "memory"])
    'Did you mean "memory"? Known: file, memory.'
    >>> hint("prod", ["production", "test"], "Environments")
    'Did you mean "production"? Environments: production, test.'
    >>> hint("x", [])
    'Known: none.'
    """
    from difflib import get_close_matches  # noqa: PLC0415 - nobody pays for errors that do not happen

    names = sorted(known)
    by_lower = {each.removeprefix(prefix).lower(): each for each in names}
    wanted = str(name).removeprefix(prefix).lower()
    near = get_close_matches(wanted, by_lower, n=1) or [each for each in by_lower if _is_short_for(each, wanted)]
    question = f'Did you mean "{by_lower[near[0]]}"? ' if near else ""
    return f"{question}{kind}: {', '.join(names) or 'none'}."


def _is_short_for(one: str, other: str) -> bool:
    """Say whether one name is the other's beginning, as `prod` is of `production`."""
    short, long = sorted((one, other), key=len)
    return len(short) >= _SHORTEST and long.startswith(short)
