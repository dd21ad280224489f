"""The picture of a container, and `symphony-registry graph`."""

from pathlib import Path

import pytest

from symphony_registry import BackendType, ServiceRegistry
from symphony_registry.backends.vector_store import InMemoryVectorStore
from symphony_registry.cli import main
from symphony_registry.containers import RegistryContainer, build_container
from symphony_registry.diagram import Diagram, diagram


def arrows(drawn: Diagram) -> set[tuple[str, str, bool]]:
    return {(drawn.nodes[edge.start].title, drawn.nodes[edge.end].title, edge.live) for edge in drawn.edges}


def states(drawn: Diagram) -> dict[str, str]:
    return {node.title: node.state for node in drawn.nodes if node.state}


def test_settings_feed_backends_and_backends_the_registry() -> None:
    container = build_container(settings={"vector_stores": {"docs": {"provider": "memory"}}, "knowledge_graphs": None})
    drawn = diagram(container)
    assert {
        ("vector_stores.docs", "vector_store docs", True),
        ("vector_store docs", "registry", True),
    } <= arrows(drawn)
    assert not [node for node in drawn.nodes if "knowledge_graph" in node.title]


async def test_it_says_what_is_open() -> None:
    async with ServiceRegistry() as registry:
        assert set(states(diagram(registry.container)).values()) == {"open"}
    assert set(states(diagram(registry.container)).values()) == {"not open"}


def test_settings_do_not_feed_a_backend_that_is_overridden() -> None:
    container = RegistryContainer()
    with container.vector_store.override(InMemoryVectorStore()):
        drawn = diagram(container)
    assert states(drawn)["vector_store default"] == "overridden"
    assert ("vector_stores.default", "vector_store default", False) in arrows(drawn)
    assert ("knowledge_graphs.default", "knowledge_graph default", True) in arrows(drawn)


@pytest.mark.parametrize("name", ["default", "docs"])
async def test_settings_do_not_feed_a_backend_that_is_registered_in_their_place(name: str) -> None:
    container = build_container(settings={"vector_stores": {name: {"provider": "memory"}}})
    async with ServiceRegistry(container) as registry:
        await registry.close()
        await registry.register_backend(BackendType.VECTOR_STORE, "memory", name, {"metric": "dot"})
        drawn = diagram(container)
    about = {node.title: node.about for node in drawn.nodes}
    assert about[f"vector_store {name}"] == "InMemoryVectorStore, registered, open"
    assert (f"vector_stores.{name}", f"vector_store {name}", False) in arrows(drawn)
    assert about[f"vector_store_{name}"] == f"service: vector_store {name}"


def test_a_backend_that_cannot_be_built_is_drawn_as_wrong() -> None:
    container = RegistryContainer()
    with container.vector_store.override("no backend"):
        assert states(diagram(container))["vector_store default"] == "wrong"


@pytest.mark.parametrize(
    ("name", "drawn_as"),
    [
        ('a"b', "a#34;b"),
        ("<b>&", "#60;b#62;#38;"),
        ("x](y)", "x#93;#40;y#41;"),
        ("#35;", "#35;35#59;"),
        ("ü 😀", "ü #128512;"),
        ("\x1b[31m", "#92;x1b#91;31m"),
    ],
)
def test_any_name_can_be_drawn(name: str, drawn_as: str) -> None:
    container = build_container(settings={"vector_stores": {name: {"provider": "memory"}}})
    drawn = diagram(container).mermaid()
    assert f'["vector_stores.{drawn_as}<br>provider: memory"]\n' in drawn
    assert f'["vector_store {drawn_as}<br>InMemoryVectorStore, not open"]\n' in drawn


def test_the_command_prints_the_picture_or_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph"]) == 0
    printed = capsys.readouterr().out
    assert "\nflowchart LR\n" in printed
    assert main(["graph", "--output", str(tmp_path / "picture.mmd")]) == 0
    assert (tmp_path / "picture.mmd").read_text() == printed


def test_it_opens_what_can_be_opened_only_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("not a directory")
    (tmp_path / "base.yaml").write_text(
        f"vector_stores: {{bad: {{provider: file, options: {{path: {tmp_path}/file}}}}, good: {{provider: memory}}}}"
    )
    assert main(["graph", "--config-dir", str(tmp_path)]) == 0
    assert "InMemoryVectorStore, not open" in capsys.readouterr().out
    assert main(["graph", "--config-dir", str(tmp_path), "--open"]) == 1
    printed = capsys.readouterr()
    assert "InMemoryVectorStore, open" in printed.out
    assert "FileVectorStore, not open" in printed.out
    assert "error: " in printed.err


def test_a_class_that_cannot_be_made_is_wrong_and_what_it_says_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "failing_store.py").write_text("""
from symphony_registry.backends.vector_store import InMemoryVectorStore

class Store(InMemoryVectorStore):
    def __init__(self, config=None):
        raise RuntimeError("hunter2")
""")
    (tmp_path / "base.yaml").write_text("vector_stores: {default: {provider: 'failing_store:Store'}}")
    assert main(["graph", "--config-dir", str(tmp_path), "--open"]) == 1
    printed = capsys.readouterr()
    assert "RuntimeError" in printed.out
    assert printed.err.startswith('error: The vector_store "default" could not be built: RuntimeError. Its text')
    assert "hunter2" not in printed.out + printed.err
