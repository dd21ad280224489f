from symphony_registry.integrations.symphony.base import *
