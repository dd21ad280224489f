"""The conformance kit: one test for every sentence of the contract.

The author of a provider subclasses the class of its backend type:

```python
from symphony_registry.testing import VectorStoreConformance

class TestMyStore(VectorStoreConformance):
    provider = "my_package.stores:MyStore"
```

Elsewhere, `await run_conformance(harness)` gives a report. A sentence that needs
what the provider's `guarantees` do not promise is reported as "not promised".
"""

import pytest

# A bare assert in a check explains itself, if pytest hears of its module before it is imported.
pytest.register_assert_rewrite(f"{__name__}.contract")

# ruff: noqa: E402
from symphony_registry.testing.adapters import DIMENSION
from symphony_registry.testing.catalog import sentences
from symphony_registry.testing.conformance import (
    CheckpointStoreConformance,
    KnowledgeGraphConformance,
    VectorStoreConformance,
)
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.report import Outcome, Report, run_conformance
from symphony_registry.testing.sentence import Sentence

__all__ = [
    "DIMENSION",
    "CheckpointStoreConformance",
    "Harness",
    "KnowledgeGraphConformance",
    "Outcome",
    "Report",
    "Sentence",
    "VectorStoreConformance",
    "run_conformance",
    "sentences",
]
