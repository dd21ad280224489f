from symphony_registry.backends.checkpoint_store import *
