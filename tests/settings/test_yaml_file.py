"""YAML files: where a mistake is, what may stand beside the settings, and the texts of secrets."""

import pytest

from tests.helpers.configuration import Write, load, problems

PLAIN = "vector_stores: {default: {provider: 'tests.helpers.plain:DictVectorStore', options: {password: '%s'}}}"


class TestLines:
    def test_a_wrong_key_is_reported_where_it_stands(self, write: Write) -> None:
        base = "vector_store:\n  default: {provider: memory}\ntimeouts:\n  opn:\n    3\n  open: {a: 1}\n"
        assert [problem.partition(" ")[0] for problem in problems(write(base=base))] == [
            "base.yaml:1:",  # vector_store
            "base.yaml:4:",  # timeouts.opn
            "base.yaml:6:",  # timeouts.open
        ]

    def test_what_is_missing_is_reported_at_the_key_that_lacks_it(self, write: Write) -> None:
        base = "vector_stores:\n  default:\n    provider: file\n    options:\n      dimension: 3\n  other:\n    {}\n"
        assert [problem.partition(" ")[0] for problem in problems(write(base=base))] == ["base.yaml:4:", "base.yaml:6:"]


class TestAnchors:
    def test_keys_for_anchors_are_not_settings(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        base = """
            x-defaults: &defaults {provider: memory, options: {metric: "${METRIC}"}}
            x-unused: ["${UNSET}", $x]
            vector_stores: {default: *defaults, docs: {<<: *defaults, options: {dimension: 3}}}
        """
        monkeypatch.setenv("METRIC", "dot")
        stores = load(write(base=base)).vector_stores
        assert (stores["default"].options, stores["docs"].options) == ({"metric": "dot"}, {"dimension": 3})

    def test_only_those_at_the_top_are_left_out(self, write: Write) -> None:
        assert 'no key "x-a"' in problems(write(base="vector_stores: {default: {provider: memory, x-a: 1}}"))[0]


class TestSecretsInFiles:
    def test_a_byte_order_mark_is_no_part_of_a_secret(self, write: Write) -> None:
        directory = write(base=PLAIN % "${file:secret}")
        (directory / "secret").write_bytes(b"\xef\xbb\xbfhunter2\n")
        assert load(directory).vector_stores["default"].options == {"password": "hunter2"}

    @pytest.mark.parametrize("name", ["x" * 300, "a\\0b", "."])
    def test_a_name_that_no_file_has_is_a_problem_with_its_line(self, name: str, write: Write) -> None:
        base = PLAIN.replace("'%s'", f'"${{file:{name}}}"')
        assert problems(write(base=base))[0].startswith(
            "base.yaml:1: vector_stores.default.options.password: the file "
        )


class TestOnePlaceEach:
    @pytest.mark.parametrize("spelling", ["data", "./data/", "other/../data", "link", "link/../link", "deep/link"])
    def test_two_file_stores_in_one_directory_are_an_error(
        self, spelling: str, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        directory = write(
            base=f"""vector_stores:
  default: {{provider: file, options: {{path: data}}}}
checkpoint_stores:
  second:
    provider: file
    options:
      path: {spelling}
"""
        )
        monkeypatch.chdir(directory)
        (directory / "deep").mkdir()
        (directory / "link").symlink_to("data")  # which is not there yet
        (directory / "deep" / "link").symlink_to("../link")
        assert problems(directory) == [
            f"base.yaml:7: checkpoint_stores.second.options.path: {directory}/data is what "
            f"vector_stores.default.options.path ({directory}/base.yaml:2) leads to, and each needs a place of its own."
        ]

    @pytest.mark.parametrize(
        ("first", "second", "relation"),
        [("d", "d/a/b", "lies in"), ("d/a/b", "d", "holds"), ("d", "link/x", "lies in")],
    )
    def test_one_store_inside_the_other_is_an_error(
        self, first: str, second: str, relation: str, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stores = [
            f"{name}: {{provider: file, options: {{path: {path}}}}}"
            for name, path in zip("xy", (first, second), strict=True)
        ]
        directory = write(base=f"vector_stores: {{{', '.join(stores)}}}")
        monkeypatch.chdir(directory)
        (directory / "link").symlink_to("d")
        (found,) = problems(directory)
        assert f"vector_stores.y.options.path: {directory}/d" in found
        assert f" {relation} what vector_stores.x.options.path" in found

    def test_two_below_one_directory_are_none(self, write: Write) -> None:
        base = "vector_stores: {a: {provider: file, options: {path: d/a}}, b: {provider: file, options: {path: d/b}}}"
        assert load(write(base=base))

    def test_tables_in_one_server_may_be_shared(self, write: Write) -> None:
        store = "{provider: postgres, options: {dsn: 'postgresql://db/x', table_prefix: shared_}}"
        assert load(write(base=f"vector_stores: {{a: {store}, b: {store}}}"))


class TestAMissingSpace:
    @pytest.mark.parametrize("text", ["provider:memory", "provider:memory\n    options:{}"])
    def test_a_missing_space_after_a_colon_is_the_only_problem_and_says_so(self, text: str, write: Write) -> None:
        assert problems(write(base=f"vector_stores:\n  default:\n    {text}\n")) == [
            "base.yaml:2: vector_stores.default: a mapping is expected here: put a space after the colon."
        ]

    def test_it_is_asked_for_where_a_key_follows(self, write: Write) -> None:
        base = "vector_stores:\n  default:\n    provider:memory\n    options: {}\n"
        assert problems(write(base=base))[0] == (
            "base.yaml:4: this is not YAML: mapping values are not allowed here. "
            "Is there a space after the colon in the line before?"
        )

    def test_a_text_that_is_no_key_is_not_taken_for_one(self, write: Write) -> None:
        assert problems(write(base="vector_stores: {default: memory}")) == [
            "base.yaml:1: vector_stores.default: a mapping is expected here."
        ]


def test_a_tag_is_the_only_problem_and_its_message_says_how_a_variable_is_written(write: Write) -> None:
    (found,) = problems(write(base="vector_stores: {default: {provider: file, options: {path: !env DATA}}}"))
    assert found.endswith(
        "options.path: the tag after ! is not allowed: only plain values are, and ${NAME} for a variable."
    )


def test_a_module_without_any_backend_says_so(write: Write) -> None:
    (found,) = problems(write(base="vector_stores: {default: {provider: 'json:Foo'}}"))
    assert found.endswith("json has no Foo. It has no backend class and no provider at all.")
