"""The path under which the Symphony framework knows `symphony_registry`: the same modules."""

from symphony_registry import install_as

install_as(__name__)
