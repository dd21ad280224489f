"""What a configuration was read from, in a line."""

from symphony_registry.settings.layers import SHIPPED, Configuration


def sources(configuration: Configuration) -> str:
    """Return the environment and the files of a configuration in words."""
    if configuration.directory is None:
        return "No environment and no directory chosen: one memory backend of each type (--env NAME, --config-dir DIR)."
    files = ", ".join(map(str, configuration.files))
    shipped = " (they ship with the package)" if configuration.directory == SHIPPED else ""
    return f"Environment: {configuration.environment or 'none'}. Files: {files}{shipped}."
