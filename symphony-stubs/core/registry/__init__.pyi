from symphony_registry.integrations.symphony import *
