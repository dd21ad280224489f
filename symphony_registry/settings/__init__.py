"""Settings: layered YAML files and variables, checked as a whole."""

from symphony_registry.settings.loading import LayeredSettings, settings_from_mapping
from symphony_registry.settings.model import BackendSettings, RegistrySettings, Timeouts

__all__ = ["BackendSettings", "LayeredSettings", "RegistrySettings", "Timeouts", "settings_from_mapping"]
