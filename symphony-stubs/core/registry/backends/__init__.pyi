from symphony_registry.backends import *
