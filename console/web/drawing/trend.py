"""Durations of the last runs, with the median, and those far from it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from statistics import median

from markupsafe import Markup

from ..text import span
from .svg import element, link, picture

WIDTH, HEIGHT, LEFT, BOTTOM = 900, 160, 70, 20
FAR = 3

Point = tuple[int, datetime, timedelta | None, str]


def draw(name: str, points: Sequence[Point], url: Callable[..., str]) -> Markup:
    """Return the picture of runs, oldest first: id, start, value, status."""
    known = [
        (run, start, value.total_seconds(), status)
        for run, start, value, status in points
        if value is not None
    ]
    if not known:
        return Markup("")
    middle = median(value for _, _, value, _ in known)
    most = max(max(value for _, _, value, _ in known), 1e-3)
    step = (WIDTH - LEFT) / len(known)

    def y(value: float) -> float:
        return (HEIGHT - BOTTOM) * (1 - max(value, 0.0) / most * 0.92)

    content = [
        element("line", {"x1": LEFT, "x2": WIDTH, "y1": y(value), "y2": y(value), "class": kind})
        + element(
            "text", {"x": LEFT - 6, "y": y(value) + 4, "text_anchor": "end", "class": "axis"}, span(value)
        )
        for value, kind in ((0.0, "grid"), (middle, "median"), (most, "grid"))
        if kind == "median" or value == 0 or most > middle * 1.2
    ]
    content += [
        _bar(number * step, step, y(point[2]), middle, point, url) for number, point in enumerate(known)
    ]
    return picture(WIDTH, HEIGHT, f"{name} of the last {len(known)} runs, median {span(middle)}", *content)


def _bar(
    x: float,
    step: float,
    y: float,
    middle: float,
    point: tuple[int, datetime, float, str],
    url: Callable[..., str],
) -> Markup:
    run, start, value, status = point
    far = " far" if value > FAR * middle and value - middle > 0.1 else ""
    top = min(y, HEIGHT - BOTTOM - 2)
    size = {"x": LEFT + x, "width": max(step - 1, 0.8), "y": top, "height": HEIGHT - BOTTOM - top}
    shape = element("rect", size | {"class": f"bar {status.replace(' ', '-')}{far}"})
    return link(url(f"runs/{run}"), f"run {run}, {start:%Y-%m-%d %H:%M}: {span(value)}, {status}", shape)
