"""The steps of a run in time, a row for each try."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from ..text import span
from .svg import cut, element, link, picture

WIDTH, LEFT, ROW = 900, 200, 24
MOST = 200


def draw(start: datetime, steps: Sequence[Any]) -> Markup:
    """Return the picture. `steps`: rows with jslstart, jslend, step_status, and number, that of the try."""
    shown = sorted(steps, key=lambda step: (step.jslstart, step.jslid))[:MOST]
    if not shown:
        return Markup("")
    whole = max(max((step.jslend - start).total_seconds() for step in shown), 1e-3)
    scale = (WIDTH - LEFT - 90) / whole
    content = []
    for number, step in enumerate(shown):
        y = number * ROW
        x = LEFT + max((step.jslstart - start).total_seconds(), 0) * scale
        width = max((step.jslend - step.jslstart).total_seconds() * scale, 2.0)
        took = span(step.jslend - step.jslstart)
        name = f"{step.jstname} (try {step.number})" if step.number > 1 else step.jstname
        shapes = [
            element("text", {"x": LEFT - 8, "y": y + 16, "text_anchor": "end"}, cut(name, 26)),
            element(
                "rect",
                {
                    "x": x,
                    "y": y + 4,
                    "width": width,
                    "height": ROW - 8,
                    "class": f"bar {step.step_status.replace(' ', '-')}",
                },
            ),
            element("text", {"x": x + width + 6, "y": y + 16, "class": "axis"}, took),
        ]
        content.append(link(f"#step{step.jslid}", f"{name}: {took}, {step.step_status}", *shapes))
    return picture(WIDTH, len(shown) * ROW + 4, "Steps in time", *content)
