"""The kit as pytest tests: a class per backend type, to be subclassed."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.catalog import sentences
from symphony_registry.testing.harness import Harness
from symphony_registry.testing.processes import SentenceSkipped
from symphony_registry.testing.promises import NotPromised
from symphony_registry.testing.report import examine
from symphony_registry.testing.sentence import Sentence


class _Conformance:
    backend_type: ClassVar[BackendType]

    provider: ClassVar[object]
    """A registered name, an entry point, a `package.module:Class`, or a provider or backend class."""

    large: ClassVar[int] = 20_000
    """How many things a large store holds, where the event loop is watched."""

    def options(self, tmp_path: Path) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the options of a store; called with a new directory for each, which must share nothing.

        A server is set up and torn down by a fixture of the subclass, with
        `autouse`, which leaves on `self` what is needed here.
        """
        return {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of each sentence, named by its id: `pytest -k limits.too_small` selects one."""
        if "sentence" in metafunc.fixturenames:
            known = sentences(self.backend_type)
            metafunc.parametrize("sentence", known, ids=[sentence.id for sentence in known])

    def test_contract(self, sentence: Sentence, tmp_path: Path) -> None:
        """The sentence holds."""
        harness: Harness[Any] = Harness(
            self.backend_type, self.provider, tmp_path, options=self.options, large=self.large
        )
        try:
            asyncio.run(examine(sentence, harness))
        except NotPromised as promise:
            pytest.skip(f"not promised: {promise}")
        except SentenceSkipped as reason:
            pytest.skip(str(reason))


class VectorStoreConformance(_Conformance):
    """The contract of a vector store, one test a sentence: subclass it and set `provider`."""

    backend_type = BackendType.VECTOR_STORE


class KnowledgeGraphConformance(_Conformance):
    """The contract of a knowledge graph, one test a sentence: subclass it and set `provider`."""

    backend_type = BackendType.KNOWLEDGE_GRAPH


class CheckpointStoreConformance(_Conformance):
    """The contract of a checkpoint store, one test a sentence: subclass it and set `provider`."""

    backend_type = BackendType.CHECKPOINT_STORE
