"""What pictures are made of: SVG elements as values. Pure.

Colours are names of the page's style sheet, so that they suit light and dark.

Before: `pictures` and `heat` place them. After: `page` writes them.
"""

from dataclasses import dataclass

from terrace_api.units import display_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One element.

    Attributes:
        title: shown where the pointer rests; empty for none.
        text: inside; empty for none.
    """

    tag: str
    attributes: tuple[tuple[str, str], ...]
    title: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Shapes on a plane; `label` says in words what can be seen."""

    width: int
    height: int
    label: str
    shapes: tuple[Shape, ...]


def rect(x: float, y: float, width: float, height: float, style: str, *, opacity: float = 1, title: str = "") -> Shape:
    """Returns a rectangle in a colour of the style sheet."""
    numbers = (("x", x), ("y", y), ("width", max(0.0, width)), ("height", max(0.0, height)), ("fill-opacity", opacity))
    attributes = (*((name, _number(value)) for name, value in numbers), ("class", style))
    return Shape(tag="rect", attributes=attributes, title=title)


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Shape:
    """Returns a line."""
    numbers = (("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2))
    return Shape(tag="line", attributes=(*((name, _number(value)) for name, value in numbers), ("class", style)))


def polygon(points: list[tuple[float, float]], style: str, *, title: str = "") -> Shape:
    """Returns a filled area."""
    spelled = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
    return Shape(tag="polygon", attributes=(("points", spelled), ("class", style)), title=title)


def words(x: float, y: float, text: str, *, anchor: str = "start", style: str = "label") -> Shape:
    """Returns text on a base line."""
    attributes = (("x", _number(x)), ("y", _number(y)), ("text-anchor", anchor), ("class", style))
    return Shape(tag="text", attributes=attributes, text=text)


def cut(text: str, chars: int) -> str:
    """Returns the text, in the middle of which is left out what is too much."""
    half = (chars - 1) // 2
    return text if len(text) <= chars else f"{text[:half]}…{text[-half:]}"


def bytes_up_to(most: int) -> list[tuple[int, str]]:
    """Returns the marks of an axis from 0 to `most`: none, half, and all of it."""
    return [(value, display_bytes(value)) for value in (0, most // 2, most)] if most else [(0, "0")]


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
