"""The settings: which backends there are, and how long to wait for them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from symphony_registry.backends.options import Seconds
from symphony_registry.backends.storage import BackendType

# What there is without any configuration: one memory backend of each type.
EMBEDDED_DEFAULT: dict[str, Any] = {
    backend_type.section: {"default": {"provider": "memory"}} for backend_type in BackendType
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


class BackendSettings(_Model):
    """One backend: the name of its provider and the options for it."""

    provider: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict, repr=False)  # may hold secrets


class Timeouts(_Model):
    """How long a backend may take, in seconds."""

    open: Seconds = 30.0
    close: Seconds = 10.0
    health: Seconds = 5.0


class RegistrySettings(_Model):
    """The backends by name, per type."""

    vector_stores: dict[str, BackendSettings] = Field(default_factory=dict)
    knowledge_graphs: dict[str, BackendSettings] = Field(default_factory=dict)
    checkpoint_stores: dict[str, BackendSettings] = Field(default_factory=dict)
    timeouts: Timeouts = Timeouts()

    def backends(self, backend_type: BackendType) -> dict[str, BackendSettings]:
        """Return the backends of a type by name."""
        found: dict[str, BackendSettings] = getattr(self, backend_type.section)
        return found
