# The framework's own names, if it is installed; without this file, mypy looks for a directory that is not there.
from typing import Any

def __getattr__(name: str) -> Any: ...
