from symphony_registry.containers import *
