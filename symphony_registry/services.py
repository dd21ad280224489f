"""The services and repositories of a registry: a dictionary over the container's providers."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from dependency_injector import providers

from symphony_registry.errors import ServiceNotFoundError, hint


class ServiceMapping(MutableMapping[str, Any]):
    """Objects by name, held by an aggregate of a container.

    A dependency-injector provider is called each time its name is read; any other
    value is given back as it is.
    """

    def __init__(self, kind: str, aggregate: "providers.Aggregate[Any]") -> None:
        self._kind = kind
        self._aggregate = aggregate

    def __getitem__(self, name: str) -> Any:
        self._ensure_known(name)
        return self._aggregate(name)

    def _ensure_known(self, name: str) -> None:
        if name not in self:
            raise ServiceNotFoundError(f"There is no {self._kind} {name!r}. {hint(name, map(str, self))}")

    def __setitem__(self, name: str, value: Any) -> None:
        provider = value if isinstance(value, providers.Provider) else providers.Object(value)
        self._aggregate.set_providers({**self._aggregate.providers, name: provider})

    def __delitem__(self, name: str) -> None:
        self._ensure_known(name)
        self._aggregate.set_providers({key: item for key, item in self._aggregate.providers.items() if key != name})

    def __contains__(self, name: object) -> bool:
        return name in self._aggregate.providers

    def clear(self) -> None:
        """Forget everything, without making anything."""
        self._aggregate.set_providers({})

    def replace(self, values: Mapping[str, Any]) -> None:
        """Forget everything and take `values` instead."""
        kept = dict(values._aggregate.providers if isinstance(values, ServiceMapping) else values)
        self.clear()
        self.update(kept)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._aggregate.providers))

    def __len__(self) -> int:
        return len(self._aggregate.providers)

    def __repr__(self) -> str:
        return f"<{self._kind}s: {', '.join(map(str, self)) or 'none'}>"
