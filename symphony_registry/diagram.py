"""A container as a picture: which settings feed which backends, which of them are open or overridden."""

from html import escape
from typing import NamedTuple

from symphony_registry.backends.storage import BackendType
from symphony_registry.containers import RegistryContainer
from symphony_registry.registrations import Registrations
from symphony_registry.settings.effective import printable, provider_text

_WIDTH, _HEIGHT, _MARGIN = 340, 44, 20
_COLUMN, _ROW = _WIDTH + 80, _HEIGHT + 18
_LETTERS = 44  # that fit into a box
_COLORS = {"open": "#d3f0d8", "not open": "#eeeeee", "overridden": "#ffe2b8", "wrong": "#f8cccc"}


class Node(NamedTuple):
    """A box: two lines, its column and row, and the state that colours it."""

    title: str
    about: str
    column: int
    row: float
    state: str = ""


class Edge(NamedTuple):
    """An arrow between two boxes, by their numbers; one that is not `live` feeds nothing now."""

    start: int
    end: int
    live: bool = True


class Diagram:
    """Boxes in columns and the arrows between them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []

    def add(self, node: Node) -> int:
        """Add a box and return its number."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def mermaid(self) -> str:
        """Return the picture as Mermaid, which GitHub and many editors draw."""
        lines = ["flowchart LR"]
        for number, node in enumerate(self.nodes):
            text = "<br>".join(_for_mermaid(line) for line in (node.title, node.about) if line)
            color = _COLORS.get(node.state)
            lines.append(f'  n{number}["{text}"]')
            lines += [f"  style n{number} fill:{color},color:#222"] if color else []
        lines += [f"  n{edge.start} {'-->' if edge.live else '-.->'} n{edge.end}" for edge in self.edges]
        return "\n".join(lines) + "\n"

    def svg(self) -> str:
        """Return the picture as SVG."""
        at = [(_MARGIN + node.column * _COLUMN, _MARGIN + int(node.row * _ROW)) for node in self.nodes]
        width, height = max(x for x, _ in at) + _WIDTH + _MARGIN, max(y for _, y in at) + _HEIGHT + _MARGIN
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
                f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
                *(_arrow(at[edge.start], at[edge.end], live=edge.live) for edge in self.edges),
                *(_box(node, *place) for node, place in zip(self.nodes, at, strict=True)),
                "</svg>\n",
            ]
        )


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
            given.append(drawn.add(Node(title, about, 1, len(given), state)))
            if name in configured:
                about = f"provider: {provider_text(configured[name].provider)}"
                setting = drawn.add(Node(f"{backend_type.section}.{name}", about, 0, len(given) - 1))
                drawn.edges.append(Edge(setting, given[-1], live=source == "configured"))
    for kind, aggregate in (("service", container.services), ("repository", container.repositories)):
        for name, provider in aggregate.providers.items():
            about = f"{kind}: {titles[provider]}" if provider in titles else kind
            given.append(drawn.add(Node(str(name), about, 1, len(given))))
    registry = drawn.add(Node("registry", "ServiceRegistry", 2, max(0, len(given) - 1) / 2))
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


def _arrow(start: tuple[int, int], end: tuple[int, int], *, live: bool) -> str:
    (x, y), (to_x, to_y) = (start[0] + _WIDTH, start[1] + _HEIGHT // 2), (end[0], end[1] + _HEIGHT // 2)
    middle = (x + to_x) // 2
    dashes = "" if live else ' stroke-dasharray="4 4"'
    curve = f"M{x} {y} C{middle} {y} {middle} {to_y} {to_x} {to_y}"
    line = f'<path d="{curve}" fill="none" stroke="#999999"{dashes}/>'
    return f'{line}<circle cx="{to_x}" cy="{to_y}" r="3" fill="#999999"/>'


def _box(node: Node, x: int, y: int) -> str:
    color = _COLORS.get(node.state, "#ffffff")
    lines = [(node.title, "bold", 18), (node.about, "normal", 35)]
    texts = "".join(
        f'<text x="{x + 12}" y="{y + down}" font-size="13" font-weight="{weight}">{escape(_short(text))}</text>'
        for text, weight, down in lines
    )
    return f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{color}" stroke="#666666"/>{texts}'


def _short(text: str) -> str:
    shown = printable(text)  # XML allows no other characters
    return shown if len(shown) <= _LETTERS else f"{shown[: _LETTERS - 1]}…"


def _for_mermaid(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in " ._:-," else f"#{ord(letter)};" for letter in text)
