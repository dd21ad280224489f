"""The settings: which backends there are, and how long to wait for them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field

from symphony_registry.backends.options import Seconds, StrictModel
from symphony_registry.backends.storage import BackendProvider, BackendType

# Used where nothing is configured: one memory backend of each type.
EMBEDDED_DEFAULT: dict[str, Any] = {
    backend_type.section: {"default": {"provider": "memory"}} for backend_type in BackendType
}


class Resolved(NamedTuple):
    """The provider that a name led to, and the options that it accepted."""

    provider: BackendProvider
    options: Mapping[str, Any]


class BackendSettings(StrictModel):
    """One backend: the name of its provider and the options for it.

    Validation keeps what it found them to be in `_resolved`, so that building the
    backend looks nothing up and validates nothing again.
    """

    provider: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict, repr=False)  # may hold secrets
    _resolved: Resolved | None = None


class Timeouts(StrictModel):
    """How long a backend may take, in seconds."""

    open: Seconds = 30.0
    close: Seconds = 10.0
    health: Seconds = 5.0


class RegistrySettings(StrictModel):
    """The backends by name, per type."""

    vector_stores: dict[str, BackendSettings] = Field(default_factory=dict)
    knowledge_graphs: dict[str, BackendSettings] = Field(default_factory=dict)
    checkpoint_stores: dict[str, BackendSettings] = Field(default_factory=dict)
    timeouts: Timeouts = Timeouts()

    def as_mapping(self) -> dict[str, Any]:
        """Return the settings as the `config` of a container holds them."""
        return self.model_dump(include=set(RegistrySettings.model_fields))

    def backends(self, backend_type: BackendType) -> dict[str, BackendSettings]:
        """Return the backends of a type by name."""
        found: dict[str, BackendSettings] = getattr(self, backend_type.section)
        return found
