"""The heat map of a report: how full the fast tier of each node was, over time; or now, of each of its tiers. Pure.

Before: `report`. After: `page`.
"""

from collections.abc import Iterator, Sequence

from terrace_kubectl.pictures import WIDTH, times
from terrace_kubectl.report import Point, Track
from terrace_kubectl.shapes import Picture, Shape, cut, rect, words

_LEFT, _RIGHT, _TOP, _ROW, _NAME_CHARS = 210, 10, 30, 22, 32
_SCALE = (0.5, 0.8, 0.9, 0.95, 1.0)
"""Shares that the key shows: what matters happens where a tier is nearly full."""
_DARK = 0.55
"""From that opacity on, text on a cell is light."""


def heat_map(points: Sequence[Point], tracks: Sequence[Track]) -> Picture:
    """Returns a row for each node; the fuller, the stronger the colour."""
    over_time = len(points) > 1
    shapes = (*_key(), *(_over_time(points, tracks) if over_time else _now(tracks)))
    label = "Use of the fast tier over time, by node" if over_time else "Use of each tier now, by node"
    return Picture(width=WIDTH, height=_TOP + len(tracks) * _ROW + 22, label=label, shapes=shapes)


def _over_time(points: Sequence[Point], tracks: Sequence[Track]) -> Iterator[Shape]:
    step = (WIDTH - _LEFT - _RIGHT) / len(points)
    for row, track in enumerate(tracks):
        y = _TOP + row * _ROW
        yield words(_LEFT - 10, y + 14, cut(track.name, _NAME_CHARS), anchor="end")
        for index, (point, used) in enumerate(zip(points, track.fast_used, strict=True)):
            title = f"{track.name}, {point.at[11:19]}: {_share(used)} of the fast tier used"
            yield _cell(_LEFT + index * step, y, step, used, title)
    yield from times(points, _TOP + len(tracks) * _ROW + 14, _LEFT)


def _now(tracks: Sequence[Track]) -> Iterator[Shape]:
    columns = max((len(track.tiers) for track in tracks), default=1)
    step = (WIDTH - _LEFT - _RIGHT) / columns
    for row, track in enumerate(tracks):
        y = _TOP + row * _ROW
        yield words(_LEFT - 10, y + 14, cut(track.name, _NAME_CHARS), anchor="end")
        for index, tier in enumerate(track.tiers):
            used = tier.used_bytes / tier.total_bytes if tier.total_bytes else -1.0
            yield _cell(_LEFT + index * step, y, step, used, f"{track.name}, {tier.name}: {_share(used)} used")
            style = "on" if _opacity(used) > _DARK else "label"
            yield words(_LEFT + index * step + 8, y + 14, f"{tier.name} {_share(used)}", style=style)


def _cell(x: float, y: float, step: float, used: float, title: str) -> Shape:
    """A cell of what is not known is empty."""
    if used < 0:
        return rect(x, y, max(1.0, step - 1), _ROW - 2, "unknown", title=title)
    return rect(x, y, max(1.0, step - 1), _ROW - 2, "heat", opacity=_opacity(used), title=title)


def _key() -> Iterator[Shape]:
    for index, used in enumerate(_SCALE):
        x = _LEFT + index * 80
        yield _cell(x, 0, 24, used, "")
        yield words(x + 28, 14, f"{used * 100:.0f}%")


def _opacity(used: float) -> float:
    """Grows fastest where the tier is nearly full."""
    return 0.06 + 0.94 * max(0.0, used) ** 3


def _share(used: float) -> str:
    return "unknown" if used < 0 else f"{used * 100:.1f}%"
