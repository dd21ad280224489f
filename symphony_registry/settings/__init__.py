"""Settings: layered YAML files and variables, checked as a whole."""

from symphony_registry.settings.model import BackendSettings, RegistrySettings, Timeouts
from symphony_registry.settings.validation import settings_from_mapping

__all__ = ["BackendSettings", "RegistrySettings", "Timeouts", "settings_from_mapping"]
