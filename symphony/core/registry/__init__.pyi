from symphony_registry import *
