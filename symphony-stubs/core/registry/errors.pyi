from symphony_registry.errors import *
