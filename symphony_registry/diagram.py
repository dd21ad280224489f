"""A container as a picture: which settings feed which backends, which of them are open or overridden."""

from typing import NamedTuple

from symphony_registry.backends.storage import BackendType
from symphony_registry.containers import RegistryContainer
from symphony_registry.registrations import Registrations
from symphony_registry.settings.effective import printable, provider_text

# As wide as an ordinary line, and no taller than it has to be.
_LAYOUT = "%%{init: {'flowchart': {'wrappingWidth': 400, 'nodeSpacing': 20}}}%%"
_COLORS = {"open": "#d3f0d8", "not open": "#eeeeee", "overridden": "#ffe2b8", "wrong": "#f8cccc"}


class Node(NamedTuple):
    """A box: two lines, and the state that colours it."""

    title: str
    about: str
    state: str = ""


class Edge(NamedTuple):
    """An arrow between two boxes, by their numbers; one that is not `live` feeds nothing now."""

    start: int
    end: int
    live: bool = True


class Diagram:
    """Boxes and the arrows between them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []

    def add(self, node: Node) -> int:
        """Add a box and return its number."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def mermaid(self) -> str:
        """Return the picture as Mermaid, which GitHub and many editors draw."""
        lines = [_LAYOUT, "flowchart LR"]
        for number, node in enumerate(self.nodes):
            lines.append(f'  n{number}["{_escaped(node.title)}<br>{_escaped(node.about)}"]')
            if node.state:
                lines.append(f"  style n{number} fill:{_COLORS[node.state]},color:#222")
        lines += [f"  n{edge.start} {'-->' if edge.live else '-.->'} n{edge.end}" for edge in self.edges]
        return "\n".join(lines) + "\n"


def diagram(container: RegistryContainer) -> Diagram:
    """Return the picture of a container as it is now; backends are built for it, but not opened."""
    drawn = Diagram()
    registrations = Registrations(container)
    settings = container.settings()
    titles: dict[object, str] = {}
    given: list[int] = []  # what the registry gives
    for backend_type in BackendType:
        configured = settings.backends(backend_type)
        for name in registrations.names(backend_type):
            source = registrations.source(backend_type, name)
            title = titles[registrations.container_provider(backend_type, name)] = f"{backend_type} {name}"
            about, state = _state(registrations, backend_type, name, source)
            given.append(drawn.add(Node(title, about, state)))
            if name in configured:
                about = f"provider: {provider_text(configured[name].provider)}"
                setting = drawn.add(Node(f"{backend_type.section}.{name}", about))
                drawn.edges.append(Edge(setting, given[-1], live=source == "configured"))
    for kind, aggregate in (("service", container.services), ("repository", container.repositories)):
        for name, provider in aggregate.providers.items():
            about = f"{kind}: {titles[provider]}" if provider in titles else kind
            given.append(drawn.add(Node(str(name), about)))
    registry = drawn.add(Node("registry", "ServiceRegistry"))
    drawn.edges += [Edge(number, registry) for number in given]
    return drawn


def _state(registrations: Registrations, backend_type: BackendType, name: str, source: str) -> tuple[str, str]:
    """Return what a backend is, in words, and the state that colours it."""
    try:
        backend = registrations.find(backend_type, name)
    except Exception as error:
        return type(error).__name__, "wrong"
    is_open = "open" if backend is not None and backend.is_open else "not open"
    words = [type(backend).__name__, *([source] if source != "configured" else []), is_open]
    return ", ".join(words), source if source == "overridden" else is_open


def _escaped(text: str) -> str:
    """Return a text as Mermaid shows it literally: what may be its syntax is given by number."""
    return "".join(
        letter if letter.isalnum() or letter in " ._:-," else f"#{ord(letter)};" for letter in printable(text)
    )
