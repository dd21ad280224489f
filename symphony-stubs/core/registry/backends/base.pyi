from symphony_registry.backends.base import *
