"""Finding a backend in the registry."""

import asyncio
from timeit import Timer
from typing import Any

from benchmarks.harness import OURS, Call, Figures, Plan, Reach, Result, at_most, installed, library, race
from symphony_registry import BackendType, ServiceRegistry


class Service:
    """What the others are asked for."""


async def registry(plan: Plan) -> list[Result]:
    """`registry.get_backend`.

    Finding an open backend, against other ways to find an object that was made once.
    """
    times = plan.vectors // 5
    kind, service = Service, Service()

    def repeated(statement: str, **names: Any) -> Call:
        timer = Timer(statement, globals=names)
        return lambda _: timer.timeit(times)

    def injector() -> Call:
        return repeated("provider()", provider=library("dependency_injector.providers").Singleton(kind))

    def svcs() -> Call:
        services = library("svcs")
        registered = services.Registry()
        registered.register_value(kind, service)
        return repeated("container.get(kind)", container=services.Container(registered), kind=kind)

    def dishka() -> Call:
        module = library("dishka")
        provider = module.Provider(scope=module.Scope.APP)
        provider.provide(lambda: service, provides=kind)
        return repeated("container.get(kind)", container=module.make_container(provider), kind=kind)

    async with ServiceRegistry() as opened:
        table = {("vector_store", "default"): service}
        contestants = {
            OURS: repeated("registry.get_backend(kind)", registry=opened, kind=BackendType.VECTOR_STORE),
            "a dictionary": repeated("table['vector_store', 'default']", table=table),
            **installed({"dependency-injector Singleton": injector, "svcs": svcs, "dishka": dishka}),
        }
        figures = await race(plan, contestants, per=times)
    return [Result("`get_backend`", figures, reaches=[at_most(500e-9)])]


async def blocking(plan: Plan) -> list[Result]:
    """Without `await`.

    Reading a small vector from a registry `in_thread()`, awaiting the same, and waiting for it by asyncio's own means.
    Two threads take turns: where the kernel keeps them on different cores, each turn wakes a core, and it takes about
    twice as long.
    """
    times = plan.vectors // 50
    awaited = "awaited"
    async with ServiceRegistry() as async_registry:
        registry = ServiceRegistry().in_thread()
        await asyncio.to_thread(registry.open)
        loop, store, async_store = asyncio.get_running_loop(), registry.vector_store(), async_registry.vector_store()
        await asyncio.to_thread(store.add, "a", [1.0, 2.0])
        await async_store.add("a", [1.0, 2.0])

        async def read(_: int) -> None:
            for _ in range(times):
                await async_store.get("a")

        def read_blocking() -> None:
            for _ in range(times):
                store.get("a")

        def read_threadsafe() -> None:
            for _ in range(times):
                asyncio.run_coroutine_threadsafe(async_store.get("a"), loop).result()

        contestants: dict[str, Call] = {
            OURS: lambda _: asyncio.to_thread(read_blocking),
            awaited: read,
            "run_coroutine_threadsafe": lambda _: asyncio.to_thread(read_threadsafe),
        }
        figures = await race(plan, contestants, per=times)
        await asyncio.to_thread(registry.close)

    def cheap(figures: Figures) -> bool | None:
        ours, least = figures[OURS], figures[awaited]
        return None if ours is None or least is None else ours - least <= 60e-6

    return [Result("get", figures, reaches=[Reach("at most 60 µs more than awaited", cheap)])]
