"""langgraph's own conformance kit, whole, over every engine."""

from collections.abc import AsyncGenerator

from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability

from symphony_registry.integrations.langgraph import RegistrySaver


async def test_every_capability_passes_every_test(saver: RegistrySaver) -> None:
    @checkpointer_test(name="RegistrySaver")
    async def registered() -> AsyncGenerator[RegistrySaver, None]:
        yield saver

    report = await validate(registered)
    assert {name: result.failures for name, result in report.results.items()} == {each.value: [] for each in Capability}
    assert sum(result.tests_passed for result in report.results.values()) == 81
    assert report.conformance_level() == "FULL"
