"""Langchain's cache of what models answered, over any provider's checkpoint store."""

import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.messages import message_to_dict, messages_from_dict
from langchain_core.outputs import ChatGeneration, Generation
from typing_extensions import override

from symphony_registry.backends.checkpoint_store import CheckpointStoreBackend
from symphony_registry.backends.storage import BackendType
from symphony_registry.backends.values import JSONObject
from symphony_registry.errors import InvalidTypeError, InvalidValueError
from symphony_registry.integrations.calling import Calls, Store

_logger = logging.getLogger(__name__)


class RegistryCache(BaseCache):
    """Keeps a model's answers as checkpoints whose ids begin with a prefix; `clear` deletes what begins with it.

    An answer that is no JSON is not kept, and a warning logged. What is older than a time is deleted by
    `delete_checkpoints(prefix="cache/", metadata_filter={"timestamp": {"$lt": ...}})`.
    """

    def __init__(self, store: Store[CheckpointStoreBackend], prefix: str = "cache/") -> None:
        self._calls = Calls(store, BackendType.CHECKPOINT_STORE)
        self._store = self._calls.backend
        self._prefix = prefix

    @override
    def lookup(self, prompt: str, llm_string: str) -> Sequence[Generation] | None:
        return self._calls.waited("alookup", self._lookup, prompt, llm_string)

    @override
    async def alookup(self, prompt: str, llm_string: str) -> Sequence[Generation] | None:
        return await self._calls.awaited(self._lookup, prompt, llm_string)

    async def _lookup(self, prompt: str, llm_string: str) -> Sequence[Generation] | None:
        found = await self._store.get_checkpoint(self._id(prompt, llm_string))
        return None if found is None else [_generation(each) for each in found["data"]["generations"]]

    @override
    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        self._calls.waited("aupdate", self._update, prompt, llm_string, return_val)

    @override
    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        await self._calls.awaited(self._update, prompt, llm_string, return_val)

    async def _update(self, prompt: str, llm_string: str, answer: Sequence[Generation]) -> None:
        data = {"generations": [_stored(generation) for generation in answer]}
        try:
            await self._store.save_checkpoint(self._id(prompt, llm_string), data)
        except (InvalidTypeError, InvalidValueError) as error:  # it is paid for: the caller is to have it
            _logger.warning("An answer is not kept, and the model will be asked again: %s", error)

    @override
    def clear(self, **kwargs: Any) -> None:
        self._calls.waited("aclear", self._clear, **kwargs)

    @override
    async def aclear(self, **kwargs: Any) -> None:
        await self._calls.awaited(self._clear, **kwargs)

    async def _clear(self) -> None:
        await self._store.delete_checkpoints(prefix=self._prefix)

    def _id(self, prompt: str, llm_string: str) -> str:
        return self._prefix + hashlib.sha256(json.dumps([prompt, llm_string]).encode()).hexdigest()


def _stored(generation: Generation) -> JSONObject:
    said = (
        {"message": message_to_dict(generation.message)}
        if isinstance(generation, ChatGeneration)
        else {"text": generation.text}
    )
    return {**said, "info": generation.generation_info}


def _generation(stored: JSONObject) -> Generation:
    if "message" in stored:
        return ChatGeneration(message=messages_from_dict([stored["message"]])[0], generation_info=stored["info"])
    return Generation(text=stored["text"], generation_info=stored["info"])
