"""Placeholders of other languages, URLs and empty texts where a path belongs are refused, never taken literally."""

from pathlib import Path

import pytest

from symphony_registry.backends.vector_store import FileVectorStore
from symphony_registry.errors import InvalidValueError
from tests.helpers.configuration import Write, load, problems

STORE = "vector_stores:\n  default:\n    provider: file\n    options: {path: '%s'}\n"
FOREIGN = [
    ("$HOME/x", "$NAME"),
    ("${DATA:-$HOME/x}", "$NAME"),
    ("$(HOME)/x", "$(NAME)"),
    ("%HOME%/x", "%NAME%"),
    ("{{ env }}/x", "{{ NAME }}"),
    ("{{env.HOME}}", "{{ NAME }}"),
    ("<%= home %>", "<% NAME %>"),
    ("#{home}", "#{NAME}"),
]


class TestInAFile:
    @pytest.mark.parametrize(("value", "form"), FOREIGN)
    def test_a_foreign_placeholder_is_an_error_that_says_what_to_write(
        self, value: str, form: str, write: Write
    ) -> None:
        (found,) = problems(write(base=STORE % value))
        assert found.startswith("base.yaml:4: vector_stores.default.options.path: ")
        assert f"{form} is not replaced here. Write ${{NAME}}" in found
        assert found.endswith("; a path has none.")

    def test_it_is_one_in_any_value(self, write: Write) -> None:
        base = "vector_stores: {default: {provider: $PROVIDER}}\ntimeouts: {open: $(OPEN)}"
        assert [": ".join(each.split(": ")[:2]) for each in problems(write(base=base))] == [
            "base.yaml:1: vector_stores.default.provider",
            "base.yaml:2: timeouts.open",
        ]

    def test_what_may_be_a_password_is_not_repeated(self, write: Write) -> None:
        base = "vector_stores: {default: {provider: postgres, options: {dsn: 'postgresql://me:pa$word@db/x'}}}"
        assert "word" not in problems(write(base=base))[0]

    @pytest.mark.parametrize("name", ["${TENANT}", "$TENANT", "docs-{{ env }}"])
    def test_it_is_one_in_the_name_of_a_backend(self, name: str, write: Write) -> None:
        (found,) = problems(write(base=f'vector_stores: {{"{name}": {{provider: memory}}}}'))
        assert "is not replaced in the name of a backend" in found

    @pytest.mark.parametrize("text", ["50 % of 100 %", "a {b} c", "^a$", "$5", "%Y%m%d", "x://y:%C3A%20@z", "a#b", "{"])
    def test_other_text_is_taken_as_it_is(self, text: str, write: Write) -> None:
        plain = "vector_stores: {default: {provider: 'tests.helpers.plain:DictVectorStore', options: {x: '%s'}}}"
        assert load(write(base=plain % text)).vector_stores["default"].options == {"x": text}

    def test_an_empty_variable_is_as_good_as_none(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATA_DIR", "")
        assert (
            "the variable DATA_DIR is empty. Set it, or write ${DATA_DIR:-default}."
            in problems(write(base=STORE % "${DATA_DIR}"))[0]
        )
        assert "is empty" in problems(write(base=STORE % "${DATA_DIR}/vectors"))[0]


class TestInAPath:
    @pytest.mark.parametrize("value", ["${HOME}/x", *(value for value, _ in FOREIGN if "${" not in value)])
    def test_a_placeholder_from_a_variable_is_refused_too(
        self, value: str, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATA_DIR", value)
        assert (
            "in a path is refused, since a directory is hardly called so"
            in problems(write(base=STORE % "${DATA_DIR}/vectors"))[0]
        )

    @pytest.mark.parametrize("value", ["file:/x", "file:///x", "s3://bucket/x", "postgresql://me@host/x"])
    def test_a_url_is_refused(self, value: str, write: Write) -> None:
        assert "this is a URL, and a directory of this machine belongs here" in problems(write(base=STORE % value))[0]

    @pytest.mark.parametrize("value", ["", " "])
    def test_an_empty_path_is_an_error(self, value: str, write: Write) -> None:
        assert "the path is empty; write . for the working directory" in problems(write(base=STORE % value))[0]

    def test_one_that_is_given_in_code_is_refused_too(self) -> None:
        for value in ("$HOME/x", "file:/x", ""):
            with pytest.raises(InvalidValueError, match="path: "):
                FileVectorStore({"path": value})

    def test_a_path_object_is_meant(self, tmp_path: Path) -> None:
        assert FileVectorStore({"path": tmp_path / "$HOME"})
        assert FileVectorStore({"path": str(tmp_path / "vectors:1")})
