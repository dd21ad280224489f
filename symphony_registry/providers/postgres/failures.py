"""What the driver's errors mean, in the package's own."""

import ssl

import asyncpg

from symphony_registry.backends.remote.driver import Explanation
from symphony_registry.errors import BackendSetupError, BackendTimeoutError, BackendUnavailableError

# The work was not done, or nobody knows: it may go through when it is tried again.
_AGAIN = (
    OSError,  # refused, reset, no such socket; a TimeoutError is one too
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # the server shuts down, crashed or starts
    asyncpg.TooManyConnectionsError,
    asyncpg.TransactionRollbackError,  # deadlock, serialization
    asyncpg.InterfaceError,  # the connection was closed under us
    asyncpg.InternalClientError,  # the same, in the middle of a message
)
# A ValueError is the driver's word for an argument.
_NEVER_AGAIN = (ValueError, TimeoutError, asyncpg.QueryCanceledError, asyncpg.DatabaseDroppedError)
_NOT_DONE = (asyncpg.TransactionRollbackError, asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError)

ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


def may_go_through(error: Exception) -> bool:
    """Say whether the same work may succeed in a while."""
    return isinstance(error, _AGAIN) and not isinstance(error, _NEVER_AGAIN) and not _has_no_tls(error)


def was_not_done(error: Exception) -> bool:
    """Say whether work that ended in this error certainly changed nothing."""
    return isinstance(error, _NOT_DONE) or (isinstance(error, asyncpg.PostgresError) and not may_go_through(error))


def explained(error: Exception) -> Explanation:
    """Return what an error means: a `BackendSetupError` where waiting does not help."""
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
        advice = "Look at its load and its locks (pg_stat_activity), or raise statement_timeout or connect_timeout."
        return Explanation(BackendTimeoutError, "it did not answer in time", advice)
    has_no_room = isinstance(error, asyncpg.InsufficientResourcesError)
    kind = BackendUnavailableError if may_go_through(error) or has_no_room else BackendSetupError
    return Explanation(kind, _said(error), _advice(error))


def _has_no_tls(error: Exception) -> bool:
    """Say whether the server answered that it has no TLS, for which the driver has no class of its own."""
    return type(error) is ConnectionError and "rejected SSL upgrade" in str(error)


def _said(error: Exception) -> str:
    """Return what the server said; its first line holds neither passwords nor what was sent."""
    if isinstance(error, asyncpg.PostgresError):
        said = error.message or str(error).partition("\n")[0]  # the driver's own have no message
        return f"{said.rstrip('.')} ({type(error).__name__})"
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "no host of the dsn is what its target_session_attrs asks for"
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return "the connection was lost"
    if _has_no_tls(error):
        return "it has no TLS, which sslmode in the dsn asks for"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not one that the dsn trusts"
    return f"it cannot be reached ({type(error).__name__})"


def _advice(error: Exception) -> str:
    match error:
        case asyncpg.InvalidAuthorizationSpecificationError():
            return "Check user and password in the dsn, and the server's pg_hba.conf."
        case asyncpg.InvalidCatalogNameError():
            return "Check the database in the dsn, or create it."
        case asyncpg.TooManyConnectionsError():
            return "Lower pool_max_size, close other clients, or raise max_connections."
        case asyncpg.InsufficientResourcesError():  # a full disk, no memory
            return "Nothing was written. Make room on the server, then try again."
        case asyncpg.InsufficientPrivilegeError():
            return "Grant the role what the documentation's page on PostgreSQL lists."
        case asyncpg.UndefinedTableError() | asyncpg.UndefinedColumnError() | asyncpg.InvalidSchemaNameError():
            return "The tables were changed or dropped: close the backend and open it again with create: true."
        case asyncpg.ReadOnlySQLTransactionError():
            return "The server is a replica or read-only: writes belong to the primary."
        case asyncpg.UndefinedObjectError() | asyncpg.CantChangeRuntimeParamError():
            return "If that is a parameter of the dsn, take it out there."
        case ssl.SSLCertVerificationError():
            return "Check the host in the dsn, and give the certificate of its authority there as sslrootcert."
        case _ if _has_no_tls(error):
            return "Switch it on there (ssl = on), or write sslmode=prefer or disable."
        case _ if may_go_through(error):
            return "Check that the server runs, then try again."
        case _:
            return "The cause has the details."
