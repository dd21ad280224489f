from symphony_registry.registry import *
