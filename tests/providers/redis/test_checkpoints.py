"""Checkpoints in Redis beyond the contract."""

import asyncio
from typing import Any

from symphony_registry.providers.redis.checkpoint_store import RedisCheckpointStore


async def test_data_that_a_filter_selects_are_never_those_of_half_a_bulk_write(options: dict[str, Any]) -> None:
    async with RedisCheckpointStore(options) as store:

        async def save() -> None:
            for number in range(1, 200):
                items = [("a", {"n": number}, {"even": number % 2 == 0}), ("b", {"n": number}, {"even": True})]
                await store.save_checkpoints(items)

        await store.save_checkpoints([("a", {"n": 0}, {"even": True}), ("b", {"n": 0}, {"even": True})])
        saving = asyncio.create_task(save())
        while not saving.done():
            found = await store.find_checkpoints(metadata_filter={"even": True}, include_data=True)
            (number,) = {each["data"]["n"] for each in found}
            assert len(found) == (2 if number % 2 == 0 else 1)
        await saving
