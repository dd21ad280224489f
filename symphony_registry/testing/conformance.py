"""The kit as pytest tests: a class per backend type, to be subclassed."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from symphony_registry.backends.storage import BackendType
from symphony_registry.testing.catalog import sentences
from symphony_registry.testing.harness import Harness, SentenceSkipped
from symphony_registry.testing.report import examine
from symphony_registry.testing.sentence import Sentence


class _Conformance:
    backend_type: ClassVar[BackendType]

    provider: ClassVar[object]
    """A registered name, an entry point, a `package.module:Class`, or a provider or backend class."""

    persists: ClassVar[bool] = False
    """Whether what is stored survives `disconnect`."""

    large: ClassVar[int] = 20_000
    """How many things a large store holds, where the event loop is watched."""

    def options(self, tmp_path: Path) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the options of a store; called with a new directory for each, which must share nothing."""
        return {}

    def _check(self, sentence: Sentence, tmp_path: Path) -> None:
        harness: Harness[Any] = Harness(
            self.backend_type,
            self.provider,
            tmp_path,
            options=self.options,
            persists=self.persists,
            large=self.large,
        )
        try:
            asyncio.run(examine(sentence, harness))
        except SentenceSkipped as reason:
            pytest.skip(str(reason))


class VectorStoreConformance(_Conformance):
    """The contract of a vector store, one test a sentence: subclass it and set `provider`."""

    backend_type = BackendType.VECTOR_STORE

    @pytest.mark.parametrize("sentence", sentences(backend_type), ids=str)
    def test_contract(self, sentence: Sentence, tmp_path: Path) -> None:
        """The sentence holds."""
        self._check(sentence, tmp_path)


class KnowledgeGraphConformance(_Conformance):
    """The contract of a knowledge graph, one test a sentence: subclass it and set `provider`."""

    backend_type = BackendType.KNOWLEDGE_GRAPH

    @pytest.mark.parametrize("sentence", sentences(backend_type), ids=str)
    def test_contract(self, sentence: Sentence, tmp_path: Path) -> None:
        """The sentence holds."""
        self._check(sentence, tmp_path)


class CheckpointStoreConformance(_Conformance):
    """The contract of a checkpoint store, one test a sentence: subclass it and set `provider`."""

    backend_type = BackendType.CHECKPOINT_STORE

    @pytest.mark.parametrize("sentence", sentences(backend_type), ids=str)
    def test_contract(self, sentence: Sentence, tmp_path: Path) -> None:
        """The sentence holds."""
        self._check(sentence, tmp_path)
