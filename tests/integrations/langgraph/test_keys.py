"""What ids are made of."""

from hypothesis import given
from hypothesis.strategies import text

from symphony_registry.backends.values import check_id
from symphony_registry.integrations.langgraph.checkpointer.keys import Place, checkpoint_of, end, part, parts


@given(text(max_size=20), text(max_size=20))
def test_parts_are_in_the_order_of_the_texts_whatever_follows(one: str, other: str) -> None:
    assert (f"{part(one)}!" < f"{part(other)}!") == (one < other)


@given(text(), text())
def test_parts_have_no_separator_and_equal_no_other(one: str, other: str) -> None:
    assert "!" not in part(one)
    assert (part(one) == part(other)) == (one == other)


def test_a_long_text_is_told_apart_from_others_that_begin_alike() -> None:
    assert part("a" * 1000) != part("a" * 999)
    assert part(part("a" * 1000)) != part("a" * 1000)


@given(text(max_size=3), text(max_size=3), text(max_size=3))
def test_every_id_is_valid_and_says_whose_it_is(thread: str, ns: str, checkpoint: str) -> None:
    for times in (1, 200):
        place = Place(thread * times, ns * times, checkpoint * times)
        write = f"{place.key}{part('😀' * 100)}!1000000"
        assert checkpoint_of(check_id(write, "id")) == checkpoint_of(place.key) == place.key
        assert parts(place.key)[1] == part(thread * times)
        assert place.key < write < end(place.key)
        check_id(place.blob("😀" * 100, "1" * 100), "id")
