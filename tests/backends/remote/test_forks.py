"""A process that forks while its pool is open: the child has connections of its own, and the parent goes on."""

from typing import Any

from tests.helpers.forking import run


def test_parent_and_child_write_to_the_same_store(product: str, options: dict[str, Any]) -> None:
    script = """
    asyncio.run(save("parent"))
    said = in_child(lambda: asyncio.run(save("child")))
    async def main():
        await save("again")
        paused = in_child(lambda: asyncio.run(save("child of a paused loop")))
        await save("and again")
        return [said, paused, sorted(await ids())]
    print(json.dumps(asyncio.run(main())))
    """
    said, paused, found = run(script, product, **options)
    assert (said, paused) == (None, None)
    assert found == ["again", "and again", "child", "child of a paused loop", "parent"]
