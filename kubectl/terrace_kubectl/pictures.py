"""The pictures of a report: how full tiers are, what moved, what mode Observe sees. Pure.

With several samples they are over time; with one they are what is so now.

Before: `report`. After: `page`.
"""

from collections.abc import Iterator, Sequence

from terrace_api.units import display_bytes
from terrace_kubectl.report import Observed, Point, Track
from terrace_kubectl.shapes import Picture, Shape, bytes_up_to, cut, line, polygon, rect, words

WIDTH = 960
_LEFT, _RIGHT, _PANEL, _GAP, _ROW = 70, 10, 150, 46, 22
_NAME, _NAME_CHARS = 210, 32


def use(points: Sequence[Point]) -> Picture:
    """Returns how full the fast tier and all slower memory are."""
    panels = [(index, tier.name) for index, tier in enumerate(points[-1].tiers)]
    if len(points) < 2:
        shapes = [shape for index, _ in panels for shape in _bar(points[-1], index)]
        return Picture(width=WIDTH, height=2 * 40, label="Use of fast and slow memory now", shapes=tuple(shapes))
    shapes = [shape for index, name in panels for shape in _area(points, index, name)]
    height = len(panels) * (_PANEL + _GAP)
    return Picture(width=WIDTH, height=height, label="Use of fast and slow memory over time", shapes=tuple(shapes))


def migrations(points: Sequence[Point], tracks: Sequence[Track]) -> Picture:
    """Returns what was promoted (up) and demoted (down) between samples; with one sample, by each node in all."""
    if len(points) < 2:
        shapes = tuple(_by_node([(one.name, one.promoted_bytes, one.demoted_bytes) for one in tracks]))
        label = "Memory promoted and demoted in all, by node"
        return Picture(width=WIDTH, height=len(tracks) * _ROW + 8, label=label, shapes=shapes)
    label = "Memory promoted and demoted over time"
    return Picture(width=WIDTH, height=2 * 100 + _GAP, label=label, shapes=tuple(_flow(points)))


def observed(found: Sequence[Observed]) -> Picture:
    """Returns what mode Observe sees: hot memory on slow tiers, cold memory on fast ones, by node."""
    shapes = tuple(_by_node([(one.name, one.levels.hot_on_slow_bytes, one.levels.cold_on_fast_bytes) for one in found]))
    label = "Memory on the wrong tier, by node"
    return Picture(width=WIDTH, height=len(found) * _ROW + 8, label=label, shapes=shapes)


def _bar(point: Point, index: int) -> Iterator[Shape]:
    tier, y = point.tiers[index], index * 40
    width = WIDTH - _LEFT - _RIGHT
    used = width * tier.used_bytes / tier.total_bytes if tier.total_bytes else 0
    yield words(_LEFT - 10, y + 22, tier.name, anchor="end")
    yield rect(_LEFT, y + 4, width, 28, "free", title=f"{display_bytes(tier.free_bytes)} free")
    yield rect(_LEFT, y + 4, used, 28, tier.name, title=f"{display_bytes(tier.used_bytes)} used")
    text = f"{tier.used_share} of {display_bytes(tier.total_bytes)} used"
    yield words(_LEFT + 10, y + 22, text, style="on")


def _area(points: Sequence[Point], index: int, name: str) -> Iterator[Shape]:
    """Draws one tier over time; samples without it leave a gap at the bottom."""
    top = index * (_PANEL + _GAP) + 20
    bottom = top + _PANEL
    uses = [point.tiers[index] if point.tiers else None for point in points]
    most = max((use.total_bytes for use in uses if use), default=0) or 1
    xs = _xs(len(points))
    yield words(_LEFT, top - 6, f"{name}: {points[-1].tiers[index].used_share} used at the end")
    yield rect(_LEFT, top, WIDTH - _LEFT - _RIGHT, _PANEL, "free")
    corners = [(x, bottom - _PANEL * (use.used_bytes if use else 0) / most) for x, use in zip(xs, uses, strict=True)]
    yield polygon([(xs[0], bottom), *corners, (xs[-1], bottom)], name)
    for value, text in bytes_up_to(most):
        y = bottom - _PANEL * value / most
        yield line(_LEFT, y, WIDTH - _RIGHT, y, "grid")
        yield words(_LEFT - 8, y + 4, text, anchor="end")
    yield from times(points, bottom + 16)


def _flow(points: Sequence[Point]) -> Iterator[Shape]:
    most = max(max(point.promoted_bytes, point.demoted_bytes) for point in points) or 1
    middle, height = 110, 90
    steps = points[1:]
    step = (WIDTH - _LEFT - _RIGHT) / len(steps)
    for index, point in enumerate(steps):
        x, width = _LEFT + index * step, max(1.0, step * 0.8)
        up, down = (height * moved / most for moved in (point.promoted_bytes, point.demoted_bytes))
        at = point.at[11:19]
        yield rect(x, middle - up, width, up, "fast", title=f"{at}: {display_bytes(point.promoted_bytes)} promoted")
        yield rect(x, middle, width, down, "slow", title=f"{at}: {display_bytes(point.demoted_bytes)} demoted")
    yield line(_LEFT, middle, WIDTH - _RIGHT, middle, "axis")
    yield words(_LEFT - 8, middle - height + 4, display_bytes(most), anchor="end")
    yield words(_LEFT - 8, middle + 4, "0", anchor="end")
    yield words(_LEFT - 8, middle + height + 4, display_bytes(most), anchor="end")
    yield words(_LEFT, 14, "promoted, per sample")
    yield words(_LEFT, middle + height + 18, "demoted, per sample")
    yield from times(points, middle + height + 34)


def _by_node(rows: Sequence[tuple[str, int, int]]) -> Iterator[Shape]:
    """Draws two bars a node, from the middle: the first to the left, the second to the right."""
    most = max((max(left, right) for _, left, right in rows), default=0) or 1
    half = (WIDTH - _NAME - _RIGHT) / 2 - 60
    middle = _NAME + half + 60
    for index, (name, left, right) in enumerate(rows):
        y = index * _ROW + 4
        yield words(_NAME - 10, y + 13, cut(name, _NAME_CHARS), anchor="end")
        yield rect(middle - half * left / most, y, half * left / most, _ROW - 5, "fast", title=name)
        yield rect(middle, y, half * right / most, _ROW - 5, "slow", title=name)
        yield words(middle - half * left / most - 6, y + 13, display_bytes(left), anchor="end")
        yield words(middle + half * right / most + 6, y + 13, display_bytes(right))
    yield line(middle, 0, middle, len(rows) * _ROW + 4, "axis")


def times(points: Sequence[Point], y: float, left: float = _LEFT) -> Iterator[Shape]:
    """Draws the times of the first and the last sample."""
    yield words(left, y, points[0].at[11:19])
    yield words(WIDTH - _RIGHT, y, points[-1].at[11:19], anchor="end")


def _xs(count: int) -> list[float]:
    return [_LEFT + (WIDTH - _LEFT - _RIGHT) * index / (count - 1) for index in range(count)]
