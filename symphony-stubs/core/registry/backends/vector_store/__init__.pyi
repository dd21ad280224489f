from symphony_registry.backends.vector_store import *
