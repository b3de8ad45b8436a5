"""The days of a year, a column for each week, by how many runs failed."""

from collections.abc import Mapping
from datetime import date, timedelta

from markupsafe import Markup

from .svg import element, picture, titled

CELL, LEFT, TOP = 15, 34, 18


def draw(today: date, days: Mapping[date, tuple[int, int]]) -> Markup:
    """Return the picture. `days`: the number of runs and of failures."""
    monday = today - timedelta(days=today.weekday() + 52 * 7)
    content = [
        element(
            "text", {"x": LEFT - 6, "y": TOP + row * CELL + 11, "text_anchor": "end", "class": "axis"}, name
        )
        for row, name in ((0, "Mon"), (2, "Wed"), (4, "Fri"))
    ]
    for week in range(53):
        first = monday + timedelta(weeks=week)
        if first.day <= 7:
            content.append(
                element("text", {"x": LEFT + week * CELL, "y": 12, "class": "axis"}, f"{first:%b}")
            )
        for weekday in range(7):
            day = first + timedelta(days=weekday)
            if day <= today:
                content.append(_cell(day, LEFT + week * CELL, TOP + weekday * CELL, *days.get(day, (0, 0))))
    return picture(LEFT + 53 * CELL, TOP + 7 * CELL + 2, "Runs of the last year by day", *content)


def _cell(day: date, x: int, y: int, runs: int, failures: int) -> Markup:
    share = failures / runs if runs else 0
    kind = "none" if not runs else "success" if not failures else "failure few" if share < 0.5 else "failure"
    attributes = {"x": x, "y": y, "width": CELL - 2, "height": CELL - 2, "rx": 2, "class": f"bar {kind}"}
    return element(
        "g", {}, titled(f"{day:%a %d %b %Y}: {runs} runs, {failures} failed", element("rect", attributes))
    )
