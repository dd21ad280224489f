"""Settings: layers, variables, interpolation, and errors that name the place."""

from pathlib import Path

import pytest

from symphony_registry.errors import ConfigurationError
from symphony_registry.settings.loading import LayeredSettings
from tests.helpers.configuration import MEMORY, Write, load, problems


class TestChoosingFiles:
    def test_nothing_chosen_gives_one_memory_backend_of_each_type(self) -> None:
        settings = LayeredSettings()
        sections = (settings.vector_stores, settings.knowledge_graphs, settings.checkpoint_stores)
        assert [{name: backend.provider for name, backend in section.items()} for section in sections] == [
            {"default": "memory"}
        ] * 3

    def test_variables_choose_directory_and_environment(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        directory = write(base=MEMORY, staging="vector_stores: {docs: {provider: memory}}")
        monkeypatch.setenv("SYMPHONY_REGISTRY_CONFIG_DIR", str(directory))
        monkeypatch.setenv("SYMPHONY_REGISTRY_ENV", "staging")
        assert LayeredSettings().vector_stores.keys() == {"default", "docs"}

    def test_an_environment_is_looked_for_under_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "staging.yaml").write_text("vector_stores: {here: {provider: memory}}")
        monkeypatch.chdir(tmp_path)
        assert LayeredSettings(environment="staging").vector_stores.keys() == {"here"}

    def test_the_layers_are_base_environment_local_variables_arguments(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        layer = "vector_stores: {{{0}: {{provider: memory}}}}\ntimeouts: {{{1}}}"
        directory = write(
            base=layer.format("base", "open: 1, close: 1, health: 1"),
            production=layer.format("production", "open: 2, close: 2, health: 2"),
            local=layer.format("local", "open: 3, close: 3"),
        )
        monkeypatch.setenv("SYMPHONY_REGISTRY_TIMEOUTS__OPEN", "4")
        settings = load(directory, "production", checkpoint_stores={"argument": {"provider": "memory"}})
        assert settings.vector_stores.keys() == {"base", "production", "local"}
        assert settings.checkpoint_stores.keys() == {"argument"}
        assert (settings.timeouts.open, settings.timeouts.close, settings.timeouts.health) == (4, 3, 2)

    def test_a_missing_environment_names_those_there_are(self, write: Write) -> None:
        assert problems(write(base=MEMORY, production="{}"), "prodction") == [
            'prodction.yaml: there is no file for the environment "prodction". '
            'Did you mean "production"? Known: production.'
        ]

    @pytest.mark.parametrize("name", ["../base", "a/b", ".hidden", ""])
    def test_an_environment_cannot_lead_out_of_the_directory(self, write: Write, name: str) -> None:
        directory = write(base=MEMORY)
        if not name:  # as unset
            assert load(directory, name)
        else:
            assert "there is no file" in problems(directory, name)[0]

    def test_a_missing_directory_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="nowhere: there is no such directory"):
            load(tmp_path / "nowhere")

    def test_a_directory_without_base_is_an_error_when_no_environment_is_chosen(self, write: Write) -> None:
        assert problems(write(production="{}")) == [
            "base.yaml: there is no such file, and no environment was chosen. Environments: production."
        ]


class TestMerging:
    def test_mappings_merge_lists_replace_and_null_removes(self, write: Write) -> None:
        directory = write(
            base="""
                vector_stores:
                  default: {provider: "tests.helpers.plain:DictVectorStore", options: {a: [1, 2], b: {c: 1, d: 2}}}
                  old: {provider: memory}
            """,
            production="""
                vector_stores:
                  default: {options: {a: [3], b: {c: 4}}}
                  old: null
            """,
        )
        settings = load(directory, "production")
        assert settings.vector_stores.keys() == {"default"}
        assert settings.vector_stores["default"].options == {"a": [3], "b": {"c": 4, "d": 2}}

    def test_another_provider_drops_the_options_of_the_lower_layers(self, write: Write) -> None:
        directory = write(
            base="vector_stores: {default: {provider: file, options: {path: somewhere}}}",
            test="vector_stores: {default: {provider: memory, options: {metric: dot}}}",
        )
        assert load(directory, "test").vector_stores["default"].options == {"metric": "dot"}

    def test_the_same_provider_keeps_them(self, write: Write) -> None:
        directory = write(
            base="vector_stores: {default: {provider: file, options: {path: somewhere}}}",
            test="vector_stores: {default: {provider: file, options: {metric: dot}}}",
        )
        assert load(directory, "test").vector_stores["default"].options == {"path": "somewhere", "metric": "dot"}

    def test_a_variable_changes_the_provider_and_drops_them_too(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        directory = write(base="vector_stores: {default: {provider: file, options: {path: somewhere}}}")
        monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT__PROVIDER", "memory")
        assert load(directory).vector_stores["default"].options == {}

    def test_the_same_provider_by_a_reference_keeps_them(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        directory = write(
            base='vector_stores: {default: {provider: "${P:-file}", options: {path: somewhere}}}',
            test="vector_stores: {default: {provider: file, options: {metric: dot}}}",
        )
        assert load(directory, "test").vector_stores["default"].options == {"path": "somewhere", "metric": "dot"}
        monkeypatch.setenv("P", "memory")
        with pytest.raises(ConfigurationError, match='option "path" of the provider file is missing'):
            load(directory, "test")


class TestVariables:
    def test_a_variable_sets_one_option_and_erases_nothing(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        directory = write(base="vector_stores: {My-Docs: {provider: file, options: {path: a, dimension: 3}}}")
        monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__MY_DOCS__OPTIONS__DIMENSION", "384")
        assert load(directory).vector_stores["My-Docs"].options == {"path": "a", "dimension": "384"}

    def test_variables_alone_lie_over_the_embedded_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__DOCS", '{"provider": "memory"}')
        monkeypatch.setenv("SYMPHONY_REGISTRY_KNOWLEDGE_GRAPHS", "null")
        settings = LayeredSettings()
        assert settings.vector_stores.keys() == {"default", "docs"}
        assert settings.knowledge_graphs == {}

    @pytest.mark.parametrize(
        "name",
        [
            "VECTOR_STORE__DEFAULT__PROVIDER",
            "VECTOR_STORES__DEFAULT__PROVIDR",
            "VECTOR_STORES____PROVIDER",
            "ENVIRONMENT",
        ],
    )
    def test_a_misspelt_variable_is_an_error_that_names_it(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(f"SYMPHONY_REGISTRY_{name}", "memory")
        with pytest.raises(ConfigurationError, match=rf"\$SYMPHONY_REGISTRY_{name}: .*(Did you mean|Known)"):
            LayeredSettings()

    def test_where_a_mapping_belongs_anything_but_json_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT", "memory")
        with pytest.raises(
            ConfigurationError, match=r"__DEFAULT: vector_stores\.default: a JSON object is expected here"
        ):
            LayeredSettings()


SECRETS = ["p@ss #word", "0123", "yes", "a\nb", "${x}", "$HOME $$", "'\"`", "null", "1e3", " spaced ", "{}", "é€😀"]


class TestSecrets:
    BASE = "vector_stores: {default: {provider: 'tests.helpers.plain:DictVectorStore', options: {password: %s}}}"

    @pytest.mark.parametrize("secret", SECRETS)
    def test_a_secret_arrives_exactly_from_a_variable(
        self, secret: str, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        directory = write(base=self.BASE % "other")
        monkeypatch.setenv("SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT__OPTIONS__PASSWORD", secret)
        assert load(directory).vector_stores["default"].options == {"password": secret}

    @pytest.mark.parametrize("secret", SECRETS)
    def test_a_secret_arrives_exactly_through_interpolation(
        self, secret: str, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        directory = write(base=self.BASE % "'${SECRET}'")
        monkeypatch.setenv("SECRET", secret)
        assert load(directory).vector_stores["default"].options == {"password": secret}

    @pytest.mark.parametrize("secret", SECRETS)
    def test_a_secret_arrives_exactly_from_a_file(self, secret: str, write: Write) -> None:
        directory = write(base=self.BASE % "'${file:secret.txt}'")
        (directory / "secret.txt").write_text(f"{secret}\n")
        assert load(directory).vector_stores["default"].options == {"password": secret}

    def test_no_secret_is_shown(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET", "hunter2")
        settings = load(write(base=self.BASE % "'${SECRET}'"))
        assert "hunter2" not in f"{settings} {settings!r} {settings.vector_stores['default']!r}"

    def test_no_secret_is_in_an_error(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET", "hunter2")
        directory = write(
            base="""
                vector_stores:
                  default: {provider: memory, options: {metric: "${SECRET}", dimension: "${SECRET}"}}
                timeouts: {open: "${SECRET}"}
            """
        )
        found = problems(directory)
        assert len(found) == 3
        assert "hunter2" not in "".join(found)


class TestInterpolation:
    def test_references_are_replaced_inside_values_only(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NAME", "x: {y: 1}")
        directory = write(
            base="""
                vector_stores:
                  default:
                    provider: tests.helpers.plain:DictVectorStore
                    options:
                      "${NAME}": "<${NAME}>"
                      default: ${UNSET:-fallback}
                      empty: "${UNSET:-}"
                      dollars: $$5 $$x ${NAME}$${NAME} ${UNSET:-$$}
                      list: ["${NAME}", 3]
            """
        )
        assert load(directory).vector_stores["default"].options == {
            "${NAME}": "<x: {y: 1}>",
            "default": "fallback",
            "empty": "",
            "dollars": "$5 $x x: {y: 1}${NAME} $",
            "list": ["x: {y: 1}", 3],
        }

    def test_what_is_put_in_for_a_provider_is_not_looked_at_again(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("P", "${OTHER}")
        monkeypatch.setenv("OTHER", "memory")
        found = problems(write(base='vector_stores: {default: {provider: "${P}"}}'))
        assert "there is no vector_store provider" in found[0].lower()

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("${UNSET}", "the variable UNSET is not set"),
            ("${UNSET", "is not closed"),
            ("${UNSET:-${HOME}}", "cannot be inside another"),
            ("${1x}", "is not a reference"),
            ("${}", "is not a reference"),
            ("${file:nowhere}", "nowhere cannot be read: No such file or directory"),
            ("${file:~nobody-of-that-name/x}", "x cannot be read: Could not determine home directory"),
            ("${file:empty}", "/empty is empty."),
        ],
    )
    def test_what_cannot_be_resolved_is_an_error_with_its_line(self, value: str, message: str, write: Write) -> None:
        directory = write(
            base=f'vector_stores:\n  default:\n    provider: memory\n    options: {{metric: "{value}"}}\n'
        )
        (directory / "empty").touch()
        first = problems(directory)[0]
        assert first.startswith("base.yaml:4: vector_stores.default.options.metric: ")
        assert message in first

    def test_a_value_that_a_higher_layer_replaces_is_not_resolved(self, write: Write) -> None:
        directory = write(
            base='vector_stores: {default: {provider: file, options: {path: "${UNSET}"}}}',
            test="vector_stores: {default: {provider: memory}}",
        )
        assert load(directory, "test").vector_stores["default"].provider == "memory"


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "base.yaml: the file is empty"),
            ("# only a comment\n", "base.yaml: the file is empty"),
            ("- a\n- b\n", "base.yaml:1: there must be a mapping at the top, not a list"),
            ("just text", "base.yaml:1: there must be a mapping at the top, not a single value"),
            ("a: [1\nb: 2", "base.yaml:2: this is not YAML"),
            ("a: 1\n---\nb: 2\n", "base.yaml:2: a second document begins here, and one file is one document"),
            (
                "# nothing\n!secret {}",
                "base.yaml:2: the tag after ! is not allowed: only plain values are, and ${NAME} for a variable.",
            ),
            ("!!set {}", "base.yaml:1: the tag !!set is not allowed"),
            ("!!map", "base.yaml:1: there must be a mapping at the top"),
            ("\tx: 1", r"base.yaml:1: this is not YAML: found character '\t' that cannot start any token."),
            ("a: {b: 1", "base.yaml:1: this is not YAML: expected ',' or '}', but got '<stream end>'."),
            ("timeouts:\n  open: 1\n  open: 2\n", "base.yaml:3: timeouts.open: this key is already in line 2"),
            ("timeouts: !!python/object/apply:os.getcwd []", "base.yaml:1: timeouts: the tag !!python/object/apply"),
            ("timeouts: {open: !secret x}", "base.yaml:1: timeouts.open: the tag after ! is not allowed"),
            ("timeouts: {open: !!binary aGk=}", "base.yaml:1: timeouts.open: the tag !!binary is not allowed"),
            ("1: 2", "base.yaml:1: a key must be text: put 1 in quotes"),
            ("a: &x [*x]", "base.yaml: the file expands to more than"),
            ("x" * 1_000_001, "base.yaml: the file has 1,000,001 bytes"),
        ],
    )
    def test_a_broken_file_is_one_clear_error(self, text: str, message: str, write: Write) -> None:
        assert problems(write(base=text))[0].startswith(message)

    @pytest.mark.parametrize(
        "text",
        [
            "vector_stores: {default: {provider: memory, options: {metric: *hunter2}}}",
            "vector_stores: {default: {provider: memory, options: {metric: !hunter2 x}}}",
            "vector_stores: {default: {provider: memory, options: {metric: 0b_}}, x: {provider: hunter2@x}}",
            "vector_stores: {default: {provider: 'postgresql://u:hunter2@h/db'}}",
            "vector_stores: {default: {provider: memory, options: {metric: '${DB-URL:-hunter2}'}}}",
        ],
    )
    def test_no_word_that_may_be_a_secret_is_repeated(self, text: str, write: Write) -> None:
        assert "hunter2" not in "".join(problems(write(base=text)))

    def test_a_file_nested_too_deep_is_refused(self, write: Write) -> None:
        assert "nested" in problems(write(base=f"a: {'[' * 3000}"))[0]

    def test_merge_keys_count_as_often_as_they_are_used(self, write: Write) -> None:
        text = "{x: 1}"
        for level in range(8):
            text = f"{{<<: [&a{level} {text}{f', *a{level}' * 8}]}}"
        assert "expands to more than" in problems(write(base=f"a: {text}"))[0]

    def test_an_alias_to_a_mapping_with_a_merge_key_can_be_used_twice(self, write: Write) -> None:
        directory = write(
            base="""
                vector_stores:
                  default: &a {provider: memory, options: {metric: dot}}
                  docs: &b
                    <<: *a
                    options: {metric: cosine}
                  more: *b
            """
        )
        assert load(directory).vector_stores["more"].options == {"metric": "cosine"}

    def test_an_alias_bomb_is_refused(self, write: Write) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
        assert "expands to more than 10,000 values" in problems(write(base="\n".join(lines)))[0]

    def test_bytes_that_are_not_text_are_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "base.yaml").write_bytes(b"a: \xff\xfe")
        assert problems(tmp_path) == ["base.yaml: the file is not UTF-8: invalid start byte at byte 3."]

    def test_anchors_and_merge_keys_work(self, write: Write) -> None:
        directory = write(
            base="""
                vector_stores:
                  default: &common {provider: memory, options: {metric: dot}}
                  docs:
                    <<: *common
                    options: {metric: cosine}
            """
        )
        settings = load(directory)
        assert settings.vector_stores["docs"].provider == "memory"
        assert settings.vector_stores["docs"].options == {"metric": "cosine"}


class TestErrors:
    def test_all_problems_are_shown_at_once_each_with_its_place(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SYMPHONY_REGISTRY_TIMEOUT__OPEN", "3")
        directory = write(
            base="""vector_stores:
  default: {provder: memory}
  docs:
    provider: memory
    options:
      dimnsion: 3
      metric: cosin
  unknown: {provider: memroy}
  pathless: {provider: file}
knowledge_graph: {}
timeouts: {open: -1, close: soon}
checkpoint_stores: 5
"""
        )
        assert problems(directory) == [
            'base.yaml:2: vector_stores.default.provider: the key "provider" is missing.',
            'base.yaml:2: vector_stores.default.provder: there is no key "provder". '
            'Did you mean "provider"? Known: options, provider.',
            'base.yaml:6: vector_stores.docs.options.dimnsion: there is no option "dimnsion" of the provider '
            'memory. Did you mean "dimension"? Known: dimension, ef_construction, ef_search, index, m, metric.',
            "base.yaml:7: vector_stores.docs.options.metric: input should be 'cosine', 'dot' or 'euclidean'.",
            "base.yaml:8: vector_stores.unknown.provider: There is no vector_store provider 'memroy'. "
            'Did you mean "memory"? Known: file, memory, postgres, redis. Install the package that brings it, register '
            "it with StorageBackendFactory.register_provider, or name a class as package.module:Class.",
            'base.yaml:9: vector_stores.pathless.options.path: the option "path" of the provider file is missing.',
            'base.yaml:10: knowledge_graph: there is no key "knowledge_graph". '
            'Did you mean "knowledge_graphs"? Known: checkpoint_stores, knowledge_graphs, timeouts, vector_stores.',
            "base.yaml:11: timeouts.open: input should be greater than 0.",
            "base.yaml:11: timeouts.close: input should be a valid number, unable to parse string as a number.",
            "base.yaml:12: checkpoint_stores: a mapping is expected here.",
            "$SYMPHONY_REGISTRY_TIMEOUT__OPEN: there is no such setting. "
            'Did you mean "SYMPHONY_REGISTRY_TIMEOUTS__OPEN"? For example: '
            "SYMPHONY_REGISTRY_CHECKPOINT_STORES__DEFAULT__PROVIDER, SYMPHONY_REGISTRY_CONFIG_DIR, "
            "SYMPHONY_REGISTRY_ENV, SYMPHONY_REGISTRY_KNOWLEDGE_GRAPHS__DEFAULT__PROVIDER, "
            "SYMPHONY_REGISTRY_TIMEOUTS__OPEN, SYMPHONY_REGISTRY_VECTOR_STORES__DEFAULT__PROVIDER, "
            "SYMPHONY_REGISTRY_VECTOR_STORES__DOCS__PROVIDER, SYMPHONY_REGISTRY_VECTOR_STORES__PATHLESS__PROVIDER, "
            "SYMPHONY_REGISTRY_VECTOR_STORES__UNKNOWN__PROVIDER.",
        ]

    @pytest.mark.parametrize(
        ("provider", "message"),
        [
            ("no_such_package.module:Store", "there is no module no_such_package"),
            ("tests.helpers.plain:Nothing", "plain has no Nothing"),
            ("tests.helpers.plain:DictGraph", "is a knowledge_graph backend, not a vector_store"),
            ("os:getcwd", "neither a vector_store backend class nor a provider"),
            ("broken_provider:Store", "needs the module driver_that_is_missing, which is not installed"),
            ("failing_provider:Store", "importing failing_provider failed with ZeroDivisionError"),
        ],
    )
    def test_unknown_failed_and_wrong_providers_are_three_different_errors(
        self, provider: str, message: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "broken_provider.py").write_text("import driver_that_is_missing")
        (tmp_path / "failing_provider.py").write_text("1 / 0")
        monkeypatch.syspath_prepend(tmp_path)
        directory = write(base=f"vector_stores:\n  default:\n    provider: {provider}\n")
        (found,) = problems(directory)
        assert found.startswith("base.yaml:3: vector_stores.default.provider: ")
        assert message in found
