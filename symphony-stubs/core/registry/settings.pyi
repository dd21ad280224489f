from symphony_registry.settings import *
