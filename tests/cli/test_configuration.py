"""`providers`, `schema` and `init`: what can be configured, and a configuration to begin with."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from symphony_registry import BackendType, StorageBackendFactory
from symphony_registry.cli import main
from symphony_registry.cli.providers import guarantee_cells
from symphony_registry.providers import PRODUCTS
from symphony_registry.settings import settings_from_mapping
from symphony_registry.settings.loading import LayeredSettings

ROOT = Path(__file__).parents[2]

PROVIDER = """
from typing import Literal
from pydantic import Field, SecretStr
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.vector_store import InMemoryVectorStore

class Options(BackendOptions):
    dsn: SecretStr = Field(description="Where the server is.", examples=["${DATABASE_URL}"])
    size: int = Field(default=3, ge=1, description="How many.")
    word: str = "on"
    kind: Literal["a", "b"] | None = None

class Store(InMemoryVectorStore):
    class Provider:
        Options = Options

        @staticmethod
        def create_backend(config=None):
            return Store()
"""


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # which undoes what the command does to it
    (tmp_path / "my_provider.py").write_text(PROVIDER)
    (tmp_path / "broken_provider.py").write_text("import driver_that_is_missing")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(arguments) == status
    return capsys.readouterr().out


class TestProviders:
    def test_every_built_in_provider_is_listed_as_such(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = json.loads(printed(capsys, "providers", "--json"))
        built_in = [(each["backend_type"], each["name"]) for each in found if each["origin"] == "built in"]
        for backend_type in BackendType:
            assert {(backend_type.value, "file"), (backend_type.value, "memory")} <= set(built_in)

    def test_the_list_has_what_each_is_and_guarantees(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("base.yaml").write_text(
            "vector_stores: {default: {provider: 'my_provider:Store.Provider', options: {dsn: x}}}"
        )
        lines = printed(capsys, "providers", "--config-dir", ".").splitlines()
        rows = {tuple(re.split(r"\s{2,}", line)[:2]): re.split(r"\s{2,}", line)[2:] for line in lines}
        assert rows["vector_store", "file"] == [
            *("ready", "power loss", "no", "whole", "exact search, float32", "a directory of readable JSON lines")
        ]
        assert rows["knowledge_graph", "memory"][-2:] == ["lists entities", "this process; for tests"]
        assert rows["vector_store", "my_provider:Store.Provider"] == ["ready", "-", "-", "-", "-", "dotted path"]

    def test_the_guarantees_of_a_class_are_listed_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = json.loads(printed(capsys, "providers", "vector_store", "my_provider:Store", "--json"))
        assert found["about"] is None
        assert found["guarantees"]["survives"] == "nothing"
        assert found["guarantees"]["exact_search"] is True

    def test_the_readme_s_table_is_that_of_the_manifest_and_the_guarantees(self) -> None:
        rows = []
        for product in PRODUCTS:
            cells = [
                guarantee_cells(kind, StorageBackendFactory.provider_guarantees(kind, product.name))
                for kind in product.classes
            ]
            assert len({tuple(each[:-1]) for each in cells}) == 1, "the README needs a row for each type"
            rows.append(f"| `{product.name}` | {product.about} | {' | '.join(cells[0])} |")
        assert "\n".join(rows) in (ROOT / "README.md").read_text()

    def test_each_product_says_how_to_install_it(self) -> None:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        for product in PRODUCTS:
            assert product.extra is None or product.extra in extras
            assert product.install.startswith("pip install 'symphony-registry")

    def test_an_option_has_type_default_and_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = printed(capsys, "providers", "vector_store").splitlines()
        assert "    metric (cosine | dot | euclidean; default cosine): What similarity means." in lines
        assert any(line.startswith("    path (path; required): ") for line in lines)

    def test_a_class_that_the_configuration_names_is_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("base.yaml").write_text("vector_stores: {default: {provider: 'my_provider:Store', options: {dsn: x}}}")
        found = json.loads(printed(capsys, "providers", "vector_store", "--config-dir", ".", "--json"))
        (mine,) = [each for each in found if each["name"] == "my_provider:Store"]
        assert mine["origin"] == "dotted path"
        types = {option["name"]: option["type"] for option in mine["options"]}
        assert types == {"dsn": "secret", "size": "integer >= 1", "word": "string", "kind": "a | b"}

    def test_one_without_its_driver_is_not_usable_and_says_what_to_install(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("base.yaml").write_text("vector_stores: {default: {provider: 'broken_provider:Store'}}")
        lines = printed(capsys, "providers", "--config-dir", ".", status=1).splitlines()
        at = next(at for at, line in enumerate(lines) if "broken_provider:Store" in line)
        assert "not usable" in lines[at]
        assert "needs the module driver_that_is_missing, which is not installed: pip install" in lines[at + 1]

    @pytest.mark.parametrize("backend_type", BackendType)
    @pytest.mark.parametrize("name", ["memory", "file"])
    def test_the_block_to_paste_is_a_configuration(
        self, backend_type: BackendType, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("base.yaml").write_text(printed(capsys, "providers", backend_type, name))
        assert LayeredSettings(config_dir=Path()).backends(backend_type)["default"].provider == name

    def test_the_options_that_are_comments_in_it_are_right_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        block = printed(capsys, "providers", "vector_store", "my_provider:Store")
        assert "      # Where the server is. (secret)\n      dsn: ${DATABASE_URL}\n" in block
        for option in ("size", "word", "kind"):
            block = block.replace(f"# {option}:", f"{option}:")
        (backend,) = settings_from_mapping(yaml.safe_load(block)).vector_stores.values()
        assert backend.options == {"dsn": "${DATABASE_URL}", "size": 3, "word": "on", "kind": None}

    def test_an_unknown_type_is_misuse_with_the_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["providers", "vector_stores"]) == 2
        assert 'Did you mean "vector_store"?' in " ".join(capsys.readouterr().err.split())

    def test_an_unknown_name_is_an_error_with_the_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["providers", "vector_store", "memroy"]) == 2
        assert 'Did you mean "memory"?' in capsys.readouterr().err


@pytest.fixture(scope="module")
def shipped() -> Any:
    return json.loads((ROOT / "config" / "schema.json").read_text())


class TestSchema:
    def test_the_shipped_schema_is_that_of_the_code(self) -> None:
        command = [sys.executable, "-m", "symphony_registry", "schema"]  # a process without the tests' providers
        made = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        assert made == (ROOT / "config" / "schema.json").read_text(), "symphony-registry schema -o config/schema.json"

    def test_it_is_a_schema(self, shipped: Any) -> None:
        jsonschema.Draft7Validator.check_schema(shipped)

    @pytest.mark.parametrize("path", sorted(ROOT.glob("config/*.yaml")), ids=lambda path: path.name)
    def test_the_shipped_files_name_it_and_keep_it(self, path: Path, shipped: Any) -> None:
        text = path.read_text()
        assert text.startswith("# yaml-language-server: $schema=schema.json\n")
        jsonschema.validate(yaml.safe_load(text), shipped)

    @pytest.mark.parametrize(
        "text",
        [
            "{}",
            "x-anchors: [1]",
            "timeouts: {open: 3}",
            "timeouts: {open: '${OPEN:-3}'}",
            "vector_stores: null",
            "vector_stores: {default: null}",
            "vector_stores: {default: {options: {whatever: 1}}}",  # its provider is in another layer
            "vector_stores: {default: {provider: file}}",  # and so does what is required
            "vector_stores: {default: {provider: file, options: {dimension: 3, metric: dot, path: '${X}/y'}}}",
            "vector_stores: {default: {provider: file, options: {dimension: '${D}', metric: '${M}'}}}",
            "vector_stores: {default: {provider: file, options: {dimension: null}}}",
            "vector_stores: {default: {provider: 'a.b:C', options: {whatever: 1}}}",
            "vector_stores: {default: {provider: '${P}', options: {whatever: 1}}}",
        ],
    )
    def test_what_a_layer_may_say_is_valid(self, text: str, shipped: Any) -> None:
        jsonschema.validate(yaml.safe_load(text), shipped)

    @pytest.mark.parametrize(
        "text",
        [
            "vector_store: {}",
            "anchors: [1]",
            "timeouts: {opn: 3}",
            "timeouts: {open: 0}",
            "vector_stores: {default: {provder: file}}",
            "vector_stores: {default: {provider: flie}}",
            "vector_stores: {default: {provider: file, options: {pth: x}}}",
            "vector_stores: {default: {provider: file, options: {dimension: many}}}",
            "vector_stores: {default: {provider: memory, options: {metric: cosin}}}",
            "vector_stores: {default: {provider: memory, options: {path: x}}}",
            "checkpoint_stores: {default: {provider: file, options: {dimension: 3}}}",
        ],
    )
    def test_a_mistake_is_found(self, text: str, shipped: Any) -> None:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(text), shipped)


class TestInit:
    @pytest.mark.parametrize("environment", ["development", "test", "production"])
    def test_what_it_writes_passes_check(self, environment: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert "Next: symphony-registry check" in printed(capsys, "init")
        rows = json.loads(printed(capsys, "check", "--env", environment, "--json"))
        assert [row["status"] for row in rows] == ["ok"] * 3

    def test_its_files_keep_its_schema(self) -> None:
        main(["init", "there"])
        schema = json.loads(Path("there/schema.json").read_text())
        for path in Path("there").glob("*.yaml"):
            jsonschema.validate(yaml.safe_load(path.read_text()), schema)

    def test_it_writes_no_second_file_of_a_layer(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("config").mkdir()
        Path("config/base.yml").write_text("{}")
        assert main(["init"]) == 1
        assert "config/base.yml: there already" in capsys.readouterr().err
        assert [path.name for path in Path("config").iterdir()] == ["base.yml"]

    def test_it_never_overwrites(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("config").mkdir()
        Path("config/test.yaml").write_text("mine")
        assert main(["init"]) == 1
        assert "config/test.yaml: there already" in capsys.readouterr().err
        assert [path.name for path in Path("config").iterdir()] == ["test.yaml"]
        assert Path("config/test.yaml").read_text() == "mine"

    def test_production_has_the_provider_that_was_asked_for(self) -> None:
        main(["init", "--provider", "memory"])
        written = yaml.safe_load(Path("config/production.yaml").read_text())
        assert {section["default"]["provider"] for section in written.values()} == {"memory"}

    def test_a_provider_that_does_not_exist_is_misuse(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["init", "--provider", "flie"]) == 2
        assert 'Did you mean "file"?' in capsys.readouterr().err
        assert not Path("config").exists()

    @pytest.mark.parametrize(("answer", "status"), [("memory", 0), ("", 0), (None, 1)])
    def test_in_a_terminal_it_asks_and_writes_nothing_without_an_answer(
        self, answer: str | None, status: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setattr("symphony_registry.cli.init.ask", lambda _: answer)
        assert main(["init"]) == status
        written = Path("config/production.yaml")
        assert written.exists() == (status == 0)
        assert status or f"provider: {answer or 'file'}" in written.read_text()

    def test_its_next_step_can_be_pasted(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = printed(capsys, "init", "my config").splitlines()
        assert lines[-1] == "Next: symphony-registry check --env development --config-dir 'my config'"
        assert lines[-2].endswith("SYMPHONY_REGISTRY_ENV=development SYMPHONY_REGISTRY_CONFIG_DIR='my config'.")
