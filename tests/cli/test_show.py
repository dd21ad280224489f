"""`symphony-registry show`: every setting with the layer that set it, and no secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from symphony_registry.cli import main

SECRET = "hunter2"

PROVIDER = """
from pydantic import BaseModel, SecretStr
from symphony_registry.backends.options import BackendOptions
from symphony_registry.backends.vector_store import InMemoryVectorStore

class Pool(BaseModel):
    size: int = 3

class Options(BackendOptions):
    server: SecretStr = SecretStr("hunter2")
    place: str = "here"
    pool: Pool = Pool()

class Store(InMemoryVectorStore):
    class Provider:
        Options = Options

        @staticmethod
        def create_backend(config=None):
            return Store()
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "declaring_provider.py").write_text(PROVIDER)
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    """Run `show --json` over config/ and return the settings by key; dropped ones have a `!` in front."""
    main(["show", "--config-dir", "config", "--json", *arguments])
    settings = json.loads(capsys.readouterr().out)["settings"]
    return {("!" if each["dropped_by"] else "") + each["key"]: each for each in settings}


def test_each_value_has_the_layer_that_set_it(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "base.yaml").write_text("""\
vector_stores:
  default:
    provider: file
    options:
      path: ${DATA_DIR:-data}/vectors
      dimension: 3
timeouts: {open: 1}
""")
    (directory / "test.yaml").write_text("vector_stores:\n  default:\n    options:\n      dimension: 4\n")
    monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT__OPTIONS__METRIC", "dot")
    settings = shown(capsys, "--env", "test")
    assert {
        key.removeprefix("vector_stores.default."): (each["value"], each["set_by"], each["references"])
        for key, each in settings.items()
    } == {
        "provider": ("file", "config/base.yaml:3", []),
        "options.path": ("data/vectors", "config/base.yaml:5", ["$DATA_DIR"]),
        "options.dimension": (4, "config/test.yaml:4", []),
        "options.metric": ("dot", "$SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT__OPTIONS__METRIC", []),
        "options.index": ("none", "default", []),
        "options.m": (16, "default", []),
        "options.ef_construction": (64, "default", []),
        "options.ef_search": (40, "default", []),
        "options.durability": ("full", "default", []),
        "options.read_only": (False, "default", []),
        "timeouts.open": (1, "config/base.yaml:7", []),
        "timeouts.close": (10.0, "default", []),
        "timeouts.health": (5.0, "default", []),
    }


def test_options_that_fell_away_with_their_provider_are_marked(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "base.yaml").write_text("vector_stores: {default: {provider: file, options: {path: '${DATA_DIR}/v'}}}")
    (directory / "test.yaml").write_text("vector_stores:\n  default:\n    provider: memory\n")
    dropped = shown(capsys, "--env", "test")["!vector_stores.default.options.path"]
    assert dropped["value"] == "${DATA_DIR}/v"
    assert (dropped["set_by"], dropped["dropped_by"]) == ("config/base.yaml:1", "config/test.yaml:3")
    main(["show", "--config-dir", "config", "--env", "test"])
    assert "config/base.yaml:1 from $DATA_DIR, dropped by config/test.yaml:3\n" in capsys.readouterr().out


def test_options_of_a_backend_that_was_removed_later_are_not_shown(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "base.yaml").write_text("vector_stores: {old: {provider: file, options: {path: v}}}")
    (directory / "test.yaml").write_text("vector_stores: {old: {provider: memory}}")
    (directory / "test.local.yaml").write_text("vector_stores: {old: null}")
    assert not [key for key in shown(capsys, "--env", "test") if "old" in key]


@pytest.mark.parametrize(
    "options",
    [
        f"{{provider: 'declaring_provider:Store', options: {{server: {SECRET}}}}}",
        "{provider: 'declaring_provider:Store'}",
        f"{{provider: 'declaring_provider:Store', options: {{place: 'http://u:{SECRET}@host/x'}}}}",
        f"{{provider: 'declaring_provider:Store', options: {{place: 'host=x password={SECRET}'}}}}",
        "{provider: 'declaring_provider:Store', options: {place: '${file:secret}'}}",
        "{provider: 'declaring_provider:Store', options: {place: '${DB_PASSWORD}'}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{password: {SECRET}}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{apiKey: {SECRET}}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{login: {{token: [{SECRET}]}}}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{servers: ['http://u:{SECRET}@h']}}}}",
        "{provider: 'tests.helpers.plain:DictVectorStore', options: {anything: '${X}'}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{anything: '${{UNSET:-{SECRET}}}'}}}}",
        f"{{provider: 'postgresql://u:{SECRET}@host/db'}}",
        f"'postgresql://u:{SECRET}@host/db'",
        "{provider: '${X}'}",
        f"{{provider: 'declaring_provider:Store', options: {{plase: {SECRET}}}}}",
        f"{{provider: 'declaring_provider:Store', options: {{pool: {{siez: {SECRET}}}}}}}",
        f"{{provider: 'declaring_provider:Store', options: {{place: 'http://{SECRET}@host/x'}}}}",
        f"{{provider: 'declaring_provider:Store', options: {{place: 'http://u:a {SECRET}@host/x'}}}}",
        f"{{provider: 'declaring_provider:Store', options: {{place: 'host=x password = {SECRET}'}}}}",
        f'{{provider: "declaring_provider:Store", options: {{place: "password=\'a {SECRET}\' host=x"}}}}',
        f"{{provider: 'declaring_provider:Store', options: {{place: 'http://host?x=1&sig={SECRET}&auth={SECRET}'}}}}",
        f"{{provider: 'declaring_provider:Store', options: {{place: '{{\"password\": \"a {SECRET}\"}}'}}}}",
        f"{{provider: 'declaring_provider:Store', options: {{place: 'Authorization: Bearer {SECRET}'}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{encryption_key: {SECRET}}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{signingKey: {SECRET}}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{accessToken: {SECRET}}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{headers: {{Authorization: {SECRET}}}}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{headers: {{Cookie: {SECRET}}}}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{jwt: {SECRET}, bearer: {SECRET}}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{tls: '-----BEGIN KEY-----\n{SECRET}'}}}}",
        f"{{provider: 'tests.helpers.plain:DictVectorStore', options: {{run: [x, --password, {SECRET}]}}}}",
    ],
)
def test_no_secret_is_shown(
    options: str, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    monkeypatch.setenv("X", f"://{SECRET}")
    monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__MORE", '{"provider": "tests.helpers.plain:DictVectorStore"}')
    monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__MORE__OPTIONS__ANYTHING", SECRET)
    (directory / "secret").write_text(SECRET)
    (directory / "base.yaml").write_text(f"vector_stores:\n  default: {options}\n")
    (directory / "test.yaml").write_text("vector_stores: {default: {provider: memory}}")
    for arguments in ([], ["--json"], ["--env", "test"], ["--diff", "test", "test"]):
        main(["show", "--config-dir", "config", *arguments])
        printed = capsys.readouterr()
        assert SECRET not in printed.out + printed.err
        assert "vector_stores" in printed.out or "--diff" in arguments


def test_what_is_no_secret_is_shown(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "base.yaml").write_text(
        "vector_stores: {default: {provider: 'declaring_provider:Store', options: {place: '${UNSET:-there}'}},\n"
        "  free: {provider: 'tests.helpers.plain:DictVectorStore', options: {tokenizer: plain, keys: [a], live: true}}}"
    )
    settings = shown(capsys)
    values = {key.rpartition("options.")[2]: each["value"] for key, each in settings.items() if "options" in key}
    assert values == {
        "server": "********",
        "place": "there",
        "pool": {"size": 3},
        "tokenizer": "plain",
        "keys": ["a"],
        "live": True,
    }


def test_a_configuration_with_problems_is_shown_and_they_are_told(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "base.yaml").write_text("vector_stores: {default: {provider: memory, options: {dimnsion: 3}}}")
    assert main(["show", "--config-dir", "config"]) == 1
    printed = capsys.readouterr()
    assert "vector_stores.default.provider" in printed.out
    assert 'Did you mean "dimension"?' in printed.err


class TestDiff:
    @pytest.fixture(autouse=True)
    def _two_environments(self, directory: Path) -> None:
        (directory / "base.yaml").write_text("timeouts: {open: 3}")
        store = "vector_stores: {default: {provider: 'tests.helpers.plain:DictVectorStore', options: {%s}}}"
        (directory / "here.yaml").write_text(store % "place: here, password: one, size: 5")
        (directory / "there.yaml").write_text(store % "place: there, password: two, size: '5', more: 1")

    def test_two_environments_stand_side_by_side_where_they_differ(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["show", "--config-dir", "config", "--diff", "here", "there"]) == 0
        assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
            ["SETTING", "here", "there"],
            ["vector_stores.default.options.place", "here", "there"],
            ["vector_stores.default.options.password", "********", "********", "(another)"],
            ["vector_stores.default.options.more", "-", "1"],
            ["5", "settings", "are", "the", "same."],
        ]

    def test_a_problem_says_in_which_of_them_it_is(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (directory / "base.yaml").write_text("timeouts: {opn: 3}")
        assert main(["show", "--config-dir", "config", "--diff", "here", "there"]) == 1
        lines = capsys.readouterr().err.splitlines()
        starts = [f"error: {name}: config/base.yaml:1: timeouts.opn: " for name in ("here", "there")]
        assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))

    def test_json_has_both_with_their_origins(self, capsys: pytest.CaptureFixture[str]) -> None:
        main(["show", "--config-dir", "config", "--json", "--diff", "here", "there"])
        place, _, more = json.loads(capsys.readouterr().out)
        assert (place["here"]["value"], place["there"]["set_by"]) == ("here", "config/there.yaml:1")
        assert more["here"] is None


def test_a_number_that_json_does_not_have_is_text_in_it(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "base.yaml").write_text(
        "vector_stores: {default: {provider: 'tests.helpers.plain:DictVectorStore', options: {a: .nan, b: [-.inf]}}}"
    )
    settings = shown(capsys)
    assert settings["vector_stores.default.options.a"]["value"] == "NaN"
    assert settings["vector_stores.default.options.b"]["value"] == ["-Infinity"]
