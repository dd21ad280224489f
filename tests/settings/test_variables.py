"""Which variables are ours, and which key each one means."""

from pathlib import Path

import pytest

from symphony_registry.errors import ConfigurationError
from symphony_registry.settings.effective import effective
from symphony_registry.settings.layers import read_layers
from symphony_registry.settings.loading import LayeredSettings
from symphony_registry.settings.secrets import MASK
from tests.helpers.configuration import Write, load, problems

PREFIX = "SYMPHONY_REGISTRY_"


class TestServiceLinks:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "tcp://10.0.0.1:80"),
            ("SERVICE_HOST", "10.0.0.1"),
            ("SERVICE_PORT", "80"),
            ("SERVICE_PORT_HTTP_WEB", "80"),
            ("PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("PORT_80_TCP_PROTO", "tcp"),
            ("PORT_80_TCP_PORT", "80"),
            ("PORT_53_UDP_ADDR", "10.0.0.1"),
            ("WEB_SERVICE_HOST", "10.0.0.1"),
            ("VECTOR_STORES_PORT", "tcp://10.0.0.1:80"),
        ],
    )
    def test_what_kubernetes_sets_for_a_service_of_our_name_is_not_ours(
        self, name: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(PREFIX + name, value)
        assert LayeredSettings()

    @pytest.mark.parametrize("name", ["VECTOR_STORE__DEFAULT__OPTIONS__PORT", "HOST", "PORTS", "PORT_X_TCP"])
    def test_a_name_of_another_shape_is_still_a_mistake(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(PREFIX + name, "80")
        with pytest.raises(ConfigurationError, match="there is no such setting"):
            LayeredSettings()


class TestWhichKey:
    TWO = "vector_stores: {my-store: {provider: memory}, my_store: {provider: memory}}"
    METRIC = f"{PREFIX}VECTOR_STORES__MY_STORE__OPTIONS__METRIC"

    def test_the_exact_name_wins(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(self.METRIC, "dot")
        stores = load(write(base=self.TWO)).vector_stores
        assert (stores["my_store"].options, stores["my-store"].options) == ({"metric": "dot"}, {})

    def test_so_does_the_same_case(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(self.METRIC, "dot")
        stores = load(write(base=self.TWO.replace("my-store", "MY_STORE"))).vector_stores
        assert (stores["MY_STORE"].options, stores["my_store"].options) == ({"metric": "dot"}, {})

    def test_two_that_are_equally_near_are_an_error(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(self.METRIC, "dot")
        two = write(base=self.TWO.replace("my_store", "My-Store"))
        assert problems(two) == [
            f"${self.METRIC}: vector_stores.my_store: My-Store and my-store are equally near to this name. "
            f"Set {PREFIX}VECTOR_STORES to a JSON object instead."
        ]
        monkeypatch.delenv(self.METRIC)
        monkeypatch.setenv(f"{PREFIX}VECTOR_STORES", '{"my-store": {"options": {"metric": "dot"}}}')
        assert load(two).vector_stores["my-store"].options == {"metric": "dot"}

    def test_a_key_of_options_is_found_in_the_same_way(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(f"{PREFIX}VECTOR_STORES__DEFAULT__OPTIONS__A_B", "2")
        plain = "vector_stores: {default: {provider: 'tests.helpers.plain:DictVectorStore', options: {a-b: 1, a_b: 1}}}"
        assert load(write(base=plain)).vector_stores["default"].options == {"a-b": 1, "a_b": "2"}


class TestValuesInFiles:
    PASSWORD = f"{PREFIX}VECTOR_STORES__DEFAULT__OPTIONS__PASSWORD"
    BASE = "vector_stores: {default: {provider: 'tests.helpers.plain:DictVectorStore', options: {password: other}}}"

    def test_a_secret_is_read_from_a_file_without_yaml(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "secret").write_text("p@ss ${x}\n")
        monkeypatch.setenv(f"{self.PASSWORD}__FILE", str(tmp_path / "secret"))
        assert load(write(base=self.BASE)).vector_stores["default"].options == {"password": "p@ss ${x}"}

    def test_it_is_masked_whatever_its_name(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "secret").write_text("384")
        name = f"{PREFIX}VECTOR_STORES__DEFAULT__OPTIONS__DIMENSION"
        monkeypatch.setenv(f"{name}__FILE", str(tmp_path / "secret"))
        found = effective(read_layers(config_dir=write(base="vector_stores: {default: {provider: memory}}")))
        (dimension,) = [setting for setting in found if setting.key.endswith("dimension")]
        assert (dimension.value, dimension.origin) == (MASK, f"${name}__FILE")

    def test_a_file_that_cannot_be_read_is_an_error_that_names_both(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"{self.PASSWORD}__FILE", "/nowhere/secret")
        assert problems(write(base=self.BASE)) == [
            f"${self.PASSWORD}__FILE: the file /nowhere/secret cannot be read: No such file or directory."
        ]

    def test_the_value_and_its_file_are_one_too_many(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "secret").write_text("1")
        monkeypatch.setenv(self.PASSWORD, "2")
        monkeypatch.setenv(f"{self.PASSWORD}__FILE", str(tmp_path / "secret"))
        assert "another variable sets this too" in problems(write(base=self.BASE))[0]

    def test_a_backend_may_be_called_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(f"{PREFIX}VECTOR_STORES__FILE", '{"provider": "memory"}')
        monkeypatch.setenv(f"{PREFIX}VECTOR_STORES__FILE__PROVIDER", "memory")
        assert LayeredSettings().vector_stores.keys() == {"default", "file"}


class TestWhatIsWrong:
    def test_an_empty_one_is_said_to_be_empty(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        name = f"{PREFIX}VECTOR_STORES__DEFAULT__PROVIDER"
        monkeypatch.setenv(name, "")
        assert problems(write(base="vector_stores: {default: {provider: memory}}")) == [
            f"${name}: vector_stores.default.provider: the variable is set, but empty: a text is expected here."
        ]
        assert [each.value for each in effective(read_layers()) if each.key == "vector_stores.default.provider"] == [""]

    def test_a_misspelt_backend_is_one_that_no_file_has(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(f"{PREFIX}VECTOR_STORES__MYDOCS__OPTIONS__DIMENSION", "3")
        (found,) = problems(write(base="vector_stores: {my-docs: {provider: memory}}"))
        assert found.endswith(
            'the key "provider" is missing, and no file has this backend. Did you mean "my-docs"? Known: my-docs.'
        )

    def test_a_name_that_is_like_no_other_has_no_nearest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(f"{PREFIX}DEBUG", "1")
        with pytest.raises(ConfigurationError) as caught:
            LayeredSettings()
        assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    "base", ["timeouts: {open: yes}", "vector_stores: {a: {provider: memory, options: {dimension: on}}}"]
)
def test_yes_is_no_number(base: str, write: Write) -> None:
    (found,) = problems(write(base=base))
    assert found.endswith("a number is expected here, not true or false.")


def test_no_is_no_choice(write: Write) -> None:
    (found,) = problems(write(base="vector_stores: {a: {provider: memory, options: {index: no}}}"))
    assert found.endswith("none or hnsw is expected here, not true or false (as YAML reads yes, no, on and off).")
