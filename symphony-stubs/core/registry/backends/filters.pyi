from symphony_registry.backends.filters import *
