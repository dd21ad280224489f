"""The conformance kit finds what is wrong: each planted fault fails in the group, or the sentence, that is about it."""

# mypy: ignore-errors
# (providers are short, and as untyped as users write them)

import asyncio
import json
import re
from dataclasses import replace

import pytest

from symphony_registry.backends import BackendType
from symphony_registry.backends.checkpoint_store import InMemoryCheckpointStore
from symphony_registry.backends.filters import ANYTHING
from symphony_registry.backends.knowledge_graph import InMemoryKnowledgeGraph
from symphony_registry.backends.operations import OPERATIONS
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.vector_store import FileVectorStore, InMemoryVectorStore
from symphony_registry.errors import (
    InvalidValueError,
    NotFoundError,
    UnsupportedFilterError,
    UnsupportedOperationError,
)
from symphony_registry.providers.embedded.replica import IN_MEMORY
from symphony_registry.testing import Harness, run_conformance, sentences
from symphony_registry.testing.adapters import adapt
from tests.helpers.faults import checkpoints, common, event_loop, filters, graphs, vectors, writes  # noqa: F401 - filling FAULTS
from tests.helpers.faults.planted import FAULTS
from tests.helpers.faults.vectors import AlwaysDeleted, MissesTheBest
from tests.helpers.plain import DictGraph


def check(provider, directory, only=None, large=200):
    """Return the kit's report on a provider."""
    has_path = "path" in getattr(provider, "Options", BackendOptions).model_fields
    options = (lambda path: {"path": str(path / "data")}) if has_path else (lambda _: {})
    harness = Harness(provider.backend_type, provider, directory, options=options, large=large)
    return asyncio.run(run_conformance(harness, only))


@pytest.mark.parametrize(("faulty", "name", "large"), FAULTS)
def test_finds_a_fault_where_the_contract_forbids_it(faulty, name, large, tmp_path):
    report = check(faulty, tmp_path, {name}, large)
    assert report.failed, f"nothing failed:\n{report}"


@pytest.mark.parametrize("backend_type", BackendType)
def test_every_group_has_a_fault_that_it_finds(backend_type):
    covered = {param.values[1].partition(".")[0] for param in FAULTS}
    assert {sentence.group for sentence in sentences(backend_type)} <= covered


@pytest.mark.slow
@pytest.mark.parametrize("provider", [InMemoryVectorStore, InMemoryKnowledgeGraph, InMemoryCheckpointStore])
def test_finds_nothing_in_a_healthy_provider_and_says_what_it_does_not_promise(provider, tmp_path):
    report = check(provider, tmp_path)
    assert not report.failed, str(report)
    assert not report.skipped, str(report)
    needed = {outcome.reason for outcome in report.not_promised}
    assert needed == {"survives a crash", "shared storage", "exclusive storage", "a largest limit", "a largest value"}
    assert len(report.passed) + len(report.not_promised) == len(sentences(provider.backend_type))


def test_what_a_graph_does_not_promise_to_list_has_not_passed(tmp_path):
    report = check(DictGraph, tmp_path, {"listing", "filters", "entities"})
    assert not report.failed, str(report)
    assert {outcome.sentence.group for outcome in report.not_promised} == {"listing", "filters"}
    assert {outcome.sentence.group for outcome in report.passed} == {"entities"}


class RefusesFilters(InMemoryCheckpointStore):
    async def _find(self, selection, page, **options):
        return await super()._find(self.unfiltered(selection), page, **options)

    async def _delete_many(self, chosen):
        return await super()._delete_many(chosen if isinstance(chosen, list) else self.unfiltered(chosen))

    async def _prune(self, keep_last, selection):
        return await super()._prune(keep_last, self.unfiltered(selection))

    def unfiltered(self, selection):
        if selection.condition is not ANYTHING:
            raise UnsupportedFilterError("no filters here")
        return selection


class SaysThatItRefusesFilters(RefusesFilters):
    guarantees = replace(IN_MEMORY, filters=False)


def test_a_provider_that_refuses_all_filters_fails_if_it_promises_them(tmp_path):
    report = check(RefusesFilters, tmp_path, {"filters"})
    assert len(report.failed) > len(report.passed)


def test_a_provider_that_refuses_all_filters_passes_none_of_their_sentences_if_it_says_so(tmp_path):
    report = check(SaysThatItRefusesFilters, tmp_path)
    assert not report.failed, str(report)
    assert not [outcome for outcome in report.passed if outcome.sentence.group in ("filters", "logic")]
    assert {outcome.reason for outcome in report.not_promised if outcome.sentence.group == "filters"} == {"filters"}


class MissesSome(MissesTheBest):
    guarantees = replace(IN_MEMORY, exact_search=False)


def test_a_search_that_says_it_misses_some_is_asked_for_the_right_similarities_alone(tmp_path):
    report = check(MissesSome, tmp_path, {"search.exact", "search.cosine", "search.dot", "search.euclidean"})
    assert {outcome.sentence.name: outcome.verdict for outcome in report.outcomes} == {
        "exact": "not promised", "cosine": "passed", "dot": "passed", "euclidean": "passed"
    }  # fmt: skip


class HasLimits(InMemoryCheckpointStore):
    guarantees = replace(IN_MEMORY, largest_limit=10, largest_value=500)

    async def _save(self, checkpoint, if_version, cost):
        return await super()._save(self.checked(checkpoint), if_version, cost)

    async def _save_many(self, parts, *, if_absent):
        for checkpoint in await parts.whole():
            self.checked(checkpoint)
        return await super()._save_many(parts, if_absent=if_absent)

    def checked(self, checkpoint):
        if len(checkpoint.data) > 500 or len(json.dumps(checkpoint.metadata, separators=(",", ":"))) > 500:
            raise InvalidValueError("That has more than 500 bytes.")
        return checkpoint

    async def _find(self, selection, page, **options):
        if page.limit is not None and page.limit > 10:
            raise InvalidValueError("A limit is at most 10.")
        return await super()._find(selection, page, **options)


def test_a_provider_that_keeps_to_the_largest_limit_and_value_passes(tmp_path):
    report = check(HasLimits, tmp_path, {"limits", "values.large"})
    assert not report.failed, str(report)
    assert [outcome.sentence.id for outcome in report.not_promised] == ["values.large"]


def test_a_sentence_that_cannot_be_tried_is_skipped_with_the_reason(tmp_path):
    class Local(FileVectorStore):  # which another process cannot import
        pass

    (outcome,) = check(Local, tmp_path, {"durability.killed"}).outcomes
    assert outcome.verdict == "skipped"
    assert "cannot be sent to another process" in outcome.reason


def test_an_unsupported_operation_fails_where_the_contract_allows_none(tmp_path):
    class NoCount(InMemoryCheckpointStore):
        async def count(self):
            raise UnsupportedOperationError("no count here")

    assert check(NoCount, tmp_path, {"listing"}).failed


def test_a_report_reads_as_a_line_for_each_sentence_and_the_reason_of_each_failure(tmp_path):
    text = str(check(AlwaysDeleted, tmp_path, {"items", "durability.killed"}))
    failed = "FAILED       items.deleted: delete says whether the id was there, and no operation finds it any more"
    assert failed in text
    assert "passed       items.unknown: get gives None for an unknown id" in text
    assert "not promised durability.killed: a write that has returned is there after kill -9 (survives a crash)" in text
    assert 'assert await store.delete("b") is False' in text
    assert "1 failed, 1 not promised, 0 skipped" in text


def test_groups_and_single_sentences_are_selected_by_name(tmp_path):
    report = check(InMemoryVectorStore, tmp_path, {"order", "limits.too_small"})
    assert [outcome.sentence.id for outcome in report.outcomes] == [
        "order.code_points", "order.history", "limits.too_small"
    ]  # fmt: skip


def test_an_unknown_name_is_refused_and_the_nearest_one_given(tmp_path):
    with pytest.raises(NotFoundError, match=r"'limits\.to_small'.*limits\.too_small"):
        check(InMemoryVectorStore, tmp_path, {"limits.to_small"})


@pytest.mark.parametrize("backend_type", BackendType)
def test_each_sentence_has_a_short_id_and_a_text_of_its_own(backend_type):
    known = sentences(backend_type)
    assert len({sentence.id for sentence in known}) == len({sentence.text for sentence in known}) == len(known)
    for sentence in known:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z0-9]+(_[a-z0-9]+)*", sentence.id)
        assert len(sentence.id) <= 40


@pytest.mark.parametrize("provider", [InMemoryVectorStore, InMemoryKnowledgeGraph, InMemoryCheckpointStore])
def test_the_common_sentences_know_every_operation(provider):
    assert adapt(provider()).operations().keys() == OPERATIONS[provider.backend_type].keys()
