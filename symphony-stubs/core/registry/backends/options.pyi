from symphony_registry.backends.options import *
