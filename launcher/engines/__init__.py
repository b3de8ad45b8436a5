"""Engines: where batch steps are executed. Each is a module, found by its entry point in the group pgagent_py.engines."""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import entry_points

from ..log import Event
from .interface import Engine

logger = logging.getLogger("pgagent_py")

GROUP = "pgagent_py.engines"
LOCAL = "local"


@cache
def engines() -> dict[str, Engine]:
    """Return the engines by name. One that can't be imported is left out, and none takes the name of one of ours."""
    found: dict[str, Engine] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.value.startswith(f"{__name__}.")):
        try:
            found[point.name] = point.load()
        except Exception as error:
            logger.error(Event("engine", f"{point.name} can't be loaded: {type(error).__name__}: {error}"))
    return found


def known_engines() -> list[str]:
    """Return what a launcher says of its engines when it starts: the needs of steps that it meets (start_agent)."""
    others = {name: engine for name, engine in engines().items() if name != LOCAL}
    lasting = [f"lasting {name}" for name, engine in others.items() if engine.OUTLIVES_LAUNCHER]
    return [f"engine {name}" for name in others] + lasting
