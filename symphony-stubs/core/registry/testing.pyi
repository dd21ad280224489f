from symphony_registry.testing import *
