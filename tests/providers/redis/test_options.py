"""What the options of the Redis providers take, and what they refuse."""

from typing import Any

import pytest

from symphony_registry.errors import InvalidValueError
from symphony_registry.providers.redis.address import read_url
from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore
from symphony_registry.providers.redis.vector_store import RedisVectorStore


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("redis://", "localhost:6379"),
        ("redis://h", "h:6379"),
        ("rediss://:p%40ss@h:1/2", "h:1"),
        ("redis://u:p@[::1]:7,[::2]", "[::1]:7, [::2]:6379"),
        ("unix:///run/redis.sock?db=3", "/run/redis.sock"),
    ],
)
def test_a_url_leads_to_servers(url: str, meant: str) -> None:
    assert str(read_url(url)) == meant


def test_a_url_has_login_and_database() -> None:
    read = read_url("rediss://us%3Aer:p%40%2F@h/2")
    assert (read.user, read.password, read.database, read.tls) == ("us:er", "p@/", 2, True)
    assert read_url("unix://:secret@/s?db=4")[1:4] == (None, "secret", 4)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://h",
            "redis://a b",
            "redis://user@h",
            "redis://h:99999",
            "redis://h/x",
            "redis://h:1/\u0663",
            "unix://",
        ),
        *("unix:///s?timeout=3", "redis://h?x=1", "h:6379", ""),
    ],
)
def test_what_is_no_url_is_refused_with_the_form_of_one(url: str) -> None:
    with pytest.raises(InvalidValueError, match="a URL is redis://"):
        RedisCheckpointStore({"url": url})


@pytest.mark.parametrize("durability", [{"replicated": 2}, '{"replicated": 2}'])
def test_durability_on_replicas_is_a_mapping_or_its_json(durability: Any) -> None:
    store = RedisCheckpointStore({"url": "redis://h", "durability": durability})
    assert store._options.replicas == 2
    assert store.guarantees.survives == "power loss"


@pytest.mark.parametrize("durability", ["os", 1, True, {"replicated": 0}, {"replicas": 1}, "{", '{"replicated": 0}'])
def test_another_durability_is_refused(durability: Any) -> None:
    with pytest.raises(InvalidValueError, match="durability"):
        RedisCheckpointStore({"url": "redis://h", "durability": durability})


@pytest.mark.parametrize("prefix", ["", "a{b", "a*", "a b", "a\n", "[a]"])
def test_a_prefix_that_rules_of_access_could_not_name_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidValueError, match="prefix"):
        RedisCheckpointStore({"url": "redis://h", "prefix": prefix})


def test_vectors_in_another_database_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="database 0"):
        RedisVectorStore({"url": "redis://h/1"})
