"""Which files are read: those that were asked for, both endings, and no developer's own over tests."""

import logging
from pathlib import Path

import pytest

from symphony_registry import ServiceRegistry
from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.errors import ConfigurationError, StorageError
from symphony_registry.settings import settings_from_mapping
from symphony_registry.settings.loading import LayeredSettings
from tests.helpers.configuration import MEMORY, Write, load, problems


def store(name: str) -> str:
    return f"vector_stores: {{{name}: {{provider: memory}}}}"


class TestBothEndings:
    def test_yml_is_read_as_yaml_is(self, tmp_path: Path) -> None:
        for name in ("base.yml", "production.yaml", "local.yml"):
            (tmp_path / name).write_text(store(name.partition(".")[0]))
        assert load(tmp_path, "production").vector_stores.keys() == {"base", "production", "local"}
        (tmp_path / "production.yaml").rename(tmp_path / "production.yml")
        assert load(tmp_path, "production").vector_stores.keys() == {"base", "production", "local"}

    @pytest.mark.parametrize("name", ["base", "production", "local", "production.local"])
    def test_two_files_of_one_layer_are_an_error(self, name: str, write: Write, tmp_path: Path) -> None:
        (tmp_path / f"{name}.yml").write_text("{}")
        directory = write(**{"base": MEMORY, "production": "{}", name: MEMORY})
        assert f"{name}.yaml and {name}.yml are two files of one layer" in problems(directory, "production")[0]

    def test_the_environments_of_both_are_known(self, write: Write, tmp_path: Path) -> None:
        (tmp_path / "staging.yml").write_text("{}")
        directory = write(base=MEMORY, production="{}", **{"production.local": "{}"})
        assert problems(directory, "stagin")[0].endswith('Did you mean "staging"? Known: production, staging.')


class TestLocalFiles:
    def test_tests_are_not_given_a_developer_s_own_database(self, write: Write) -> None:
        directory = write(base=store("base"), test=store("test"), local=store("mine"))
        assert load(directory, "test").vector_stores.keys() == {"base", "test"}
        assert load(directory).vector_stores.keys() == {"base", "mine"}

    def test_unless_that_is_said(self, write: Write) -> None:
        directory = write(base=store("base"), test=store("test"), **{"test.local": store("mine")})
        assert load(directory, "test").vector_stores.keys() == {"base", "test", "mine"}

    def test_one_of_an_environment_lies_over_that_of_all(self, write: Write) -> None:
        timeouts = "timeouts: {open: %s}"
        directory = write(base=MEMORY, production="{}", local=timeouts % 1, **{"production.local": timeouts % 2})
        assert load(directory, "production").timeouts.open == 2

    def test_it_is_no_environment(self, write: Write) -> None:
        directory = write(base=MEMORY, test="{}", **{"test.local": "{}"})
        for name in ("test.local", "base", "local"):
            assert f'"{name}" is a layer of environments, and none itself.' in problems(directory, name)[0]


class TestTheWorkingDirectory:
    @pytest.fixture(autouse=True)
    def _own_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def test_files_that_nobody_asked_for_are_worth_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        Path("config").mkdir()
        for name in ("base.yaml", "production.yml"):
            Path("config", name).write_text(MEMORY)
        registry = ServiceRegistry.get_instance()
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert record.getMessage() == (
            "config/base.yaml is not read, since no environment and no directory was chosen: there is one memory "
            "backend of each type. Set SYMPHONY_REGISTRY_ENV (production), or SYMPHONY_REGISTRY_CONFIG_DIR=config for "
            "base alone."
        )
        assert registry is ServiceRegistry.get_instance()

    def test_what_code_configures_needs_none(self, caplog: pytest.LogCaptureFixture) -> None:
        Path("config").mkdir()
        Path("config", "base.yaml").write_text(MEMORY)
        ServiceRegistry.from_config(settings={"vector_stores": {"docs": {"provider": "memory"}}})
        assert caplog.records == []

    def test_the_shipped_files_are_not_used_unasked(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError) as caught:
            LayeredSettings(environment="production")
        assert str(caught.value).endswith(
            f"config: there is no such directory of configuration files in the working directory ({tmp_path}). Choose "
            "one by SYMPHONY_REGISTRY_CONFIG_DIR, write one by symphony-registry init, or choose :shipped: for the "
            "files that ship with the package."
        )

    def test_they_are_used_when_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SYMPHONY_REGISTRY_CONFIG_DIR", ":shipped:")
        assert LayeredSettings(environment="development").vector_stores["default"].provider == "file"


class TestWhatCannotBeRead:
    def test_a_name_that_is_too_long_is_a_configuration_error(self, write: Write) -> None:
        directory = write(base=MEMORY)
        assert "there is no file for the environment" in problems(directory, "x" * 300)[0]
        for name in ("x" * 300, "a\0b"):
            with pytest.raises(ConfigurationError, match="the directory of configuration files cannot be read"):
                load(directory / name)

    def test_a_directory_that_cannot_be_listed_is_one_too(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        directory = write(base=MEMORY)

        def refuse(_: Path) -> None:
            raise PermissionError(13, "Permission denied")  # root may list everything

        monkeypatch.setattr(Path, "iterdir", refuse)
        with pytest.raises(ConfigurationError, match="cannot be read: Permission denied"):
            load(directory)

    def test_a_working_directory_that_is_gone_is_one_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        assert LayeredSettings()
        with pytest.raises(ConfigurationError, match="in the working directory \\(which is gone\\)"):
            LayeredSettings(environment="test")
        store = {"provider": "file", "options": {"path": "data"}}
        with pytest.raises(ConfigurationError, match="path: the path is relative, and the working directory is gone"):
            settings_from_mapping({"vector_stores": {"default": store}})

    async def test_a_store_s_name_that_is_too_long_is_a_storage_error(self) -> None:
        store = FileVectorStore({"path": "x" * 300})
        with pytest.raises(StorageError, match="could not be looked for: File name too long"):
            await store.exists()
        with pytest.raises(StorageError, match="could not be opened: File name too long"):
            await store.connect()


class TestTheDirectory:
    def test_a_file_in_its_place_is_one_to_name_the_directory_of(self, write: Write) -> None:
        directory = write(base=MEMORY)
        assert problems(directory / "base.yaml")[0].endswith(f"this is a file. Name its directory: {directory}.")

    def test_a_misspelt_name_of_the_shipped_one_has_a_nearest(self) -> None:
        assert 'Did you mean ":shipped:"?' in problems(Path(":shiped:"))[0]

    def test_a_tilde_is_the_home_directory_in_every_path(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        option = "{provider: file, options: {path: ~/data, durability: '${file:~/durability}'}}"
        directory = write(base=f"vector_stores: {{default: {option}}}", durability="os")
        (directory / "durability.yaml").rename(directory / "durability")
        monkeypatch.setenv("HOME", str(directory))
        monkeypatch.setenv("SYMPHONY_REGISTRY_CHECKPOINT_STORES__A__PROVIDER", "file")
        monkeypatch.setenv("SYMPHONY_REGISTRY_CHECKPOINT_STORES__A__OPTIONS__PATH", "~/other")
        monkeypatch.setenv("SYMPHONY_REGISTRY_CHECKPOINT_STORES__A__OPTIONS__DURABILITY__FILE", "~/durability")
        found = load(Path("~"))
        assert found.vector_stores["default"].options["durability"] == "os"
        assert found.checkpoint_stores["a"].options["durability"] == "os"
