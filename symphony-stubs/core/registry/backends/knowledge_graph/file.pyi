from symphony_registry.backends.knowledge_graph import *
