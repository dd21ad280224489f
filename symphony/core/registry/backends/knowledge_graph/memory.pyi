from symphony_registry.backends.knowledge_graph.memory import *
