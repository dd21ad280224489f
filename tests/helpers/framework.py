"""A stand-in for the Symphony framework: a regular package `symphony`, with a registry of its own."""

import zipfile
from pathlib import Path

_SERVICE = """
class {name}:
    def __init__(self, *given):
        self.given = given
"""
_REGISTRY = """
class ServiceRegistry:
    def get_workflow_tracker(self):
        return "the framework's"
"""

FILES = {
    "symphony/__init__.py": "from symphony.core import ServiceRegistry\n",
    "symphony/core/__init__.py": "from symphony.core.registry import ServiceRegistry\n",
    "symphony/core/registry/__init__.py": "from symphony.core.registry.base import ServiceRegistry\n",
    "symphony/core/registry/base.py": _REGISTRY,
    "symphony/core/agent_factory.py": _SERVICE.format(name="AgentFactory"),
    "symphony/core/task_manager.py": _SERVICE.format(name="TaskManager"),
    "symphony/execution/__init__.py": "",
    "symphony/execution/workflow_tracker.py": _SERVICE.format(name="WorkflowTracker"),
    "symphony/execution/enhanced_agent.py": _SERVICE.format(name="EnhancedExecutor"),
    "symphony/execution/router.py": _SERVICE.format(name="TaskRouter"),
}


def write_framework(directory: Path) -> None:
    """Write the package into a directory of the import path."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def write_wheel(directory: Path) -> Path:
    """Return a wheel of the distribution `symphony-core`."""
    info = "symphony_core-0.1.dist-info"
    metadata = {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: symphony-core\nVersion: 0.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents = {**FILES, **metadata}
    record = "".join(f"{name},,\n" for name in (*contents, f"{info}/RECORD"))
    wheel = directory / "symphony_core-0.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        for name, text in {**contents, f"{info}/RECORD": record}.items():
            file.writestr(name, text)
    return wheel
