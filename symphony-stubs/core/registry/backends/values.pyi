from symphony_registry.backends.values import *
