"""Generated from `StorageBackend` by `symphony_registry.blocking.generate`: do not edit."""

from collections.abc import Mapping
from typing import Any

from symphony_registry.backends.guarantees import Guarantees
from symphony_registry.backends.storage import BackendType
from symphony_registry.blocking.backend_target import B_co, BackendTarget


class BlockingBackend(BackendTarget[B_co]):
    """A `StorageBackend` without `await`."""

    @property
    def backend_type(self) -> BackendType:
        """The backend's `backend_type`."""
        return self._target.backend_type

    @property
    def guarantees(self) -> Guarantees:
        """The backend's `guarantees`."""
        return self._target.guarantees

    @property
    def name(self) -> str:
        """The backend's `name`."""
        return self._target.name

    @property
    def config(self) -> Mapping[str, Any]:
        """The backend's `config`."""
        return self._target.config

    def initialize(self, config: Mapping[str, Any] | None = None) -> None:
        """Take other options than the constructor got; `None` keeps those. Before `connect` only."""
        self._call(self._target.initialize, config)

    def connect(self) -> None:
        """Make the backend ready for use; harmless when it is."""
        self._call(self._target.connect)

    def disconnect(self) -> None:
        """Let go of everything that `connect` took; harmless when there is nothing."""
        self._call(self._target.disconnect)

    def health_check(self) -> bool:
        """Say whether an operation would work now."""
        return self._call(self._target.health_check)

    def ensure_healthy(self) -> None:
        """Raise an error that says why, where an operation would not work now."""
        self._call(self._target.ensure_healthy)

    def exists(self) -> bool:
        """Say whether something was ever stored, so that `connect` would not begin with nothing."""
        return self._call(self._target.exists)

    def version(self) -> str:
        """Return what keeps the data, and its version; a provider whose data a server keeps asks the server."""
        return self._call(self._target.version)

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._target.is_open
