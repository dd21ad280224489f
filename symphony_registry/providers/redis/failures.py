"""What the driver's errors mean, in the package's own."""

import re
import ssl

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MaxConnectionsError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import TimeoutError as LateError

from symphony_registry.backends.remote.driver import Explanation
from symphony_registry.errors import BackendSetupError, BackendTimeoutError, BackendUnavailableError


class NotConfirmedError(RedisError):
    """What was written is not known to be on so many disks as was asked."""

    def __init__(self, own: int, replicas: int) -> None:
        super().__init__(own, replicas)
        self.own = own
        self.replicas = replicas


class RefusedToWaitError(RedisError):
    """The server did not wait, or no longer, until what it had written is durable."""

    def __init__(self, reason: ResponseError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class NotTheMasterError(ReadOnlyError):
    """The server is a replica."""


ERRORS = (RedisError, OSError, EOFError)

# Refused before anything was done, and gone in a while: it loads, fails over, moves a slot.
_IN_TRANSITION = (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MaxConnectionsError,
    MovedError,
    ReadOnlyError,
    TryAgainError,
)
_IS_REPLICA = "WAITAOF cannot be used with replica"
# The same, which the driver has no class for: by what the server's message begins with.
_IN_TRANSITION_TOO = ("BUSY ", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN", "UNBLOCKED", _IS_REPLICA)
_NO_AOF = "appendonly is disabled"
_GONE = "SYMPHONYGONE"  # of our scripts
_DATABASE = re.compile("DB index is out of range|SELECT is not allowed")


def may_go_through(error: Exception) -> bool:
    """Say whether the same work may succeed in a while."""
    if isinstance(error, LateError | TimeoutError | NotConfirmedError | AuthenticationError) or _is_untrusted(error):
        return False
    return _is_in_transition(error) or isinstance(error, LostError | OSError | EOFError)


def was_not_done(error: Exception) -> bool:
    """Say whether work that ended in this error certainly changed nothing; scripts look before they write."""
    return isinstance(error, ResponseError | BusyLoadingError | MaxConnectionsError)


def names_another(error: Exception) -> bool:
    """Say whether the store may be with another server now."""
    return _is_in_transition(error) or isinstance(error, LostError | OSError)


def _is_in_transition(error: Exception) -> bool:
    if isinstance(error, RefusedToWaitError):
        error = error.reason
    return isinstance(error, _IN_TRANSITION) or (
        isinstance(error, ResponseError) and str(error).startswith(_IN_TRANSITION_TOO)
    )


def _is_untrusted(error: Exception) -> bool:
    return isinstance(error.__context__, ssl.SSLCertVerificationError)


def explained(error: Exception) -> Explanation:
    """Return what an error means: a `BackendSetupError` where waiting does not help."""
    match error:
        case RefusedToWaitError():
            return explained(error.reason)
        case NotConfirmedError():
            said = "a write was not confirmed by the server's disk in time"
            if error.own:
                said = f"a write was confirmed in time by the disks of only {error.replicas} replicas"
            advice = (
                "Set appendfsync to always or everysec; look at the disk and the replicas (INFO persistence, "
                "INFO replication), or raise timeout."
            )
            return Explanation(BackendTimeoutError, said, advice)
        case LateError() | TimeoutError():
            advice = "Look at its load (SLOWLOG GET), or raise timeout or connect_timeout."
            return Explanation(BackendTimeoutError, "it did not answer in time", advice)
        case _ if _is_untrusted(error):
            advice = "Check the host in the url, and name the certificates of its authority as tls_ca_file."
            return Explanation(BackendSetupError, "its certificate is not trusted", advice)
        case OutOfMemoryError():
            advice = "Raise maxmemory, or delete something; deletions still work."
            return Explanation(BackendUnavailableError, "it has no memory left for a write", advice)
        case AuthenticationError():
            advice = "Check the user and the password in the url."
            return Explanation(BackendSetupError, f"it refuses the login ({_first_line(error)})", advice)
        case NoPermissionError():
            advice = "Grant the user what the documentation's page on Redis lists."
            return Explanation(BackendSetupError, _first_line(error), advice)
        case NotTheMasterError():
            advice = "Writes belong to the master: give its address, or that of Sentinels and sentinel_master."
            return Explanation(BackendUnavailableError, f"{error} is a replica", advice)
        case ResponseError() if _NO_AOF in str(error):
            return Explanation(BackendSetupError, "it keeps no append-only file", NO_AOF_ADVICE)
        case ResponseError() if str(error).startswith(_GONE):
            said = "the store is not there any more: the server was emptied, or lost it in a restart"
            advice = "Close the backend, and open it again to begin a new one; or restore the server's data first."
            return Explanation(BackendSetupError, said, advice)
        case ResponseError() if _DATABASE.search(str(error)):
            advice = "Correct the database in the url; with a cluster, leave it out."
            return Explanation(BackendSetupError, _first_line(error), advice)
        case ResponseError() if str(error).startswith("MISCONF"):
            advice = "Look at its log and at its disk."
            return Explanation(BackendUnavailableError, f"it refuses writes ({_first_line(error)})", advice)
        case ResponseError() if not _is_in_transition(error):
            return Explanation(BackendSetupError, _first_line(error), "The cause has the details.")
        case _:
            said = f"it cannot be reached ({type(error.__context__ or error).__name__})"
            if _is_in_transition(error):
                said = f"it is not ready ({type(error).__name__}: {_first_line(error)})"
            return Explanation(BackendUnavailableError, said, "Check that the server runs, then try again.")


NO_AOF_ADVICE = (
    "Set appendonly yes on the server (and appendfsync always, or each write waits for up to a second), or write "
    "durability: none if what is stored may be lost."
)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
