from symphony_registry.backends.checkpoint_store.base import *
