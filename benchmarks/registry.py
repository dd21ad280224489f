"""Finding a backend in the registry."""

from timeit import Timer
from typing import Any

from benchmarks.harness import OURS, Call, Plan, Result, at_most, installed, library, race
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
