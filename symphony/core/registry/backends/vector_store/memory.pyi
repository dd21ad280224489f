from symphony_registry.backends.vector_store.memory import *
