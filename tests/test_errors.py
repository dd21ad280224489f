"""Errors: what each says of itself, and what becomes of what a provider raises."""

import builtins
import inspect
import pickle
import re
from pathlib import Path

import pytest

from symphony_registry import errors
from symphony_registry.backends.options import read_options
from symphony_registry.backends.vector_store.base import VectorOptions
from symphony_registry.errors import (
    BackendErrorGroup,
    BackendSetupError,
    BackendTimeoutError,
    BackendUnavailableError,
    InvalidValueError,
    RegistryError,
    StorageLockedError,
    attributed,
    public_text,
)

CLASSES = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, RegistryError)]
FAILURE = 'The vector_store "a" could not be opened'


def builtins_of(error: type[RegistryError]) -> set[str]:
    """Return the builtins that catch an error, without those that are bases of others of them."""
    found = [each for each in error.__mro__ if each.__module__ == builtins.__name__]
    return {
        each.__name__ for each in found if not any(other is not each and issubclass(other, each) for other in found)
    }


def test_the_documentation_lists_every_error_with_its_builtins_and_whether_waiting_helps() -> None:
    text = (Path(__file__).parents[1] / "docs" / "errors.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    listed = {
        name.strip("`"): (set(re.findall(r"\w+", kinds)), transient, when) for name, kinds, transient, when in rows
    }
    assert list(listed) == [each.__name__ for each in CLASSES]
    for each in CLASSES:
        kinds, transient, when = listed[each.__name__]
        assert kinds == builtins_of(each), each
        assert transient == ("if all in it are" if each is BackendErrorGroup else "yes" if each.transient else "no"), (
            each
        )
        assert when


def test_the_text_of_a_group_has_its_first_reason_for_a_log_of_one_line() -> None:
    group = BackendErrorGroup("both", [BackendUnavailableError("down"), BackendSetupError("wrong")])
    assert str(group) == "both: down (and 1 more)"
    assert str(BackendErrorGroup("one", [ValueError("a secret")])).startswith("one: ValueError. ")


def test_a_group_is_transient_where_waiting_may_help_with_all_of_it() -> None:
    down, wrong = BackendUnavailableError("down"), BackendSetupError("wrong")
    assert BackendErrorGroup("both", [down, BackendTimeoutError("late")]).transient
    assert not BackendErrorGroup("both", [down, wrong]).transient
    assert not BackendErrorGroup("both", [down, AttributeError("a bug")]).transient
    part = BackendErrorGroup("both", [down, wrong]).subgroup(BackendUnavailableError)
    assert isinstance(part, BackendErrorGroup)
    assert part.transient


def test_an_error_names_the_options_that_it_is_about() -> None:
    assert BackendSetupError("no table", options=("create",)).options == ("create",)
    assert StorageLockedError("in use", Path("x")).options == ("path",)
    assert RegistryError("something").options == ()
    with pytest.raises(InvalidValueError) as caught:
        read_options(VectorOptions, {"metric": "cosin", "dimension": 0}, "MyStore")
    assert caught.value.options == ("dimension", "metric")


def test_an_error_keeps_its_options_where_it_is_pickled() -> None:
    copied = pickle.loads(pickle.dumps(BackendUnavailableError("down", options=("dsn",))))
    assert (str(copied), copied.options, copied.transient) == ("down", ("dsn",), True)


class TestWhatAProviderRaises:
    @pytest.mark.parametrize(
        ("raised", "kind"),
        [
            (ConnectionRefusedError("hunter2"), BackendUnavailableError),
            (OSError("hunter2"), BackendUnavailableError),
            (TimeoutError("hunter2"), BackendTimeoutError),
        ],
    )
    def test_what_cannot_be_reached_is_unavailable_without_its_text(
        self, raised: OSError, kind: type[RegistryError]
    ) -> None:
        found = attributed(raised, FAILURE)
        assert type(found) is kind
        assert str(found).startswith(f"{FAILURE}: {type(raised).__name__}. ")
        assert "hunter2" not in str(found)
        assert found.__cause__ is raised

    def test_a_bug_stays_what_it_is_with_a_note_that_names_the_backend(self) -> None:
        bug = AttributeError("hunter2")
        assert attributed(attributed(bug, FAILURE), "it was noted already") is bug
        assert bug.__notes__ == [FAILURE]

    def test_an_error_of_ours_is_left_alone(self) -> None:
        own = BackendSetupError("no grant")
        assert attributed(own, FAILURE) is own
        assert public_text(own) == "no grant"

    def test_only_the_class_of_a_bug_is_shown_and_not_what_its_driver_noted(self) -> None:
        bug = KeyError("hunter2")
        bug.add_note("password: hunter2")
        assert public_text(bug).startswith("KeyError. ")
        assert public_text(attributed(bug, FAILURE)).startswith(f"{FAILURE}: KeyError. ")
        assert "hunter2" not in public_text(bug)
